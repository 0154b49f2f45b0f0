"""The training loop: batches in, weights out; it can stop and resume at any step without effect on the result."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic

import numpy as np
import torch
from torch import Tensor, nn

from embodio.datasets.errors import DatasetError, ExampleError
from embodio.datasets.stream.loader import BatchMaker, LoaderConfig
from embodio.datasets.stream.stream import batches
from embodio.model.network.batch import Batch, positions_of
from embodio.model.network.packing import on_device
from embodio.model.writing import WriteError
from embodio.train.bundles import Bundle
from embodio.train.checkpoints.kept import CHECKPOINT
from embodio.train.checkpoints.run import Run, save_run
from embodio.train.interruption import Interruption
from embodio.train.log import Means
from embodio.train.objective import Network, Objective, Outcome, loss_weights, together
from embodio.train.observers.guard import Guard, LossGuard
from embodio.train.observers.log_and_bar import LogAndBar
from embodio.train.observers.observer import Observer, StepReport
from embodio.train.optimisers.optimiser import set_rate
from embodio.train.optimisers.schedule import Freezing, learning_rate
from embodio.train.run_config import RunConfig
from embodio.train.validation import Line, Validator, with_mean


def seed_devices(seed: int, step: int, part: int = 0) -> None:
    """Seeds torch on all devices for one batch, so that dropout is a function of (seed, step, part) alone.

    Args:
        seed: of the run.
        step: number of the optimiser step.
        part: number of the batch in the step.
    """
    words = (seed, step, part) if part else (seed, step)
    torch.manual_seed(int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0]))


@dataclass
class Trainer(Generic[Network]):
    """Runs optimiser steps until the end, a signal, or `config.stop_after`; knows nothing of what it trains.

    Attributes:
        run: network, optimiser, average, step.
        batches: makes training batches by number.
        objective: gives the loss and the figures of a batch.
        bundle: writes the part of a checkpoint that is read outside training.
        validators: name -> held-out batches.
        config: the common settings of runs.
        interruption: catches SIGINT and SIGTERM while `train` runs.
        observers: told of what happens, without effect on the results.
        guard: decides whether a step may change the weights; None for the one of the settings.
    """

    run: Run[Network]
    batches: BatchMaker
    objective: Objective[Network]
    bundle: Bundle[Network]
    validators: Mapping[str, Validator]
    config: RunConfig
    interruption: Interruption = field(default_factory=lambda: Interruption(at_once=False))
    observers: Sequence[Observer] = field(default_factory=lambda: (LogAndBar(),))
    guard: Guard | None = None
    _saved: int | None = field(default=None, init=False)
    _reported: set[tuple[str, int]] = field(default_factory=set, init=False)  # held-out episodes

    def __post_init__(self) -> None:
        self.device = torch.device(self.config.device)
        self._freezing = Freezing(self.run.model, self.config.freeze)
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=self.config.precision == "float16")
        self.judge: Guard = self.guard or LossGuard(self.config.guard, self.batches)
        self.run.parts |= {"scaler": self._scaler, "guard": self.judge}

    @property
    def parts(self) -> int:
        """Parts of a batch, each made and computed by processes of its own."""
        return 1

    @property
    def processes(self) -> int:
        """Processes of the run."""
        return 1

    @property
    def last_step(self) -> int:
        """Steps that will be done when `train` returns, if no signal comes before."""
        config = self.config
        return min(config.steps, self.run.step + config.stop_after) if config.stop_after else config.steps

    def step(self, *batches: Batch) -> StepReport:
        """One optimiser step.

        Args:
            *batches: the training batches of step `run.step`, on the CPU: one, or `config.accumulate`, whose gradient
                is that of all of them in one batch.

        Returns:
            Loss and figures, computed before the update.

        Raises:
            Diverged: the guard, by default for a loss or gradient that is not finite; the weights stay.
        """
        run, config, clock = self.run, self.config, _Clock()
        rate = learning_rate(run.step, config.steps, config.optimiser)
        set_rate(run.optimiser, rate)
        self._freezing.apply(run.step, config.steps)
        run.model.train()
        run.optimiser.zero_grad(set_to_none=True)
        weights = self._weights(batches)
        outcomes = list[Outcome]()
        for part, batch in enumerate(batches):
            seed_devices(config.seed, run.step, self._part(part))
            outcome = self.measure(batch, weights)
            clock.lap("forward")
            self._scaler.scale(outcome.loss).backward()
            clock.lap("backward")
            outcomes.append(outcome._replace(loss=outcome.loss.detach()))
        outcome = self._together(outcomes)
        norm, updated = self._update(batches, outcome)
        run.step += 1
        clock.lap("update")
        return StepReport(run.step, batches, outcome, norm, rate, updated, clock.seconds, positions_of(batches))

    def _update(self, batches: Sequence[Batch], outcome: Outcome) -> tuple[float, bool]:
        """Clips the gradient and changes the weights; the gradient's norm, and whether they were changed."""
        run, scaler = self.run, self._scaler
        scaler.unscale_(run.optimiser)
        norm = self._clip()
        # float16: the scale is too large, and is lowered; what no scale above 1 helps against is for the guard
        helps = scaler.is_enabled() and scaler.get_scale() > 1.0 and math.isfinite(outcome.loss.item())
        overflow = helps and not math.isfinite(norm)
        updated = not overflow and self.judge.admits(run.step, batches, outcome, norm)
        if updated:
            scaler.step(run.optimiser)
            if run.average is not None:
                run.average.update(run.step)
        scaler.update()
        return norm, updated

    def _weights(self, batches: Sequence[Batch]) -> Mapping[str, Tensor] | None:
        """What losses are divided by; None for the counts of a batch of its own."""
        return loss_weights(self.objective, self.run.model, batches) if len(batches) > 1 else None

    def _together(self, outcomes: Sequence[Outcome]) -> Outcome:
        """The outcome of the batches of a step."""
        return together(outcomes)

    def _part(self, part: int) -> int:
        """The number of a batch among those of a step, for its random draws."""
        return part

    def _clip(self) -> float:
        """Clips the gradient; its norm before."""
        limit = self.config.optimiser.clip
        return nn.utils.clip_grad_norm_(self.run.model.parameters(), limit, foreach=True).item()

    def measure(self, batch: Batch, weights: Mapping[str, Tensor] | None = None) -> Outcome:
        """Loss and figures of a batch, computed on the device and in the precision of the run.

        Args:
            batch: on the CPU.
            weights: see `WeightedObjective`; only for a batch that is a part of a step.
        """
        moved = on_device(batch, self.device)
        dtype = getattr(torch, self.config.precision)
        with torch.autocast(self.device.type, dtype=dtype, enabled=dtype != torch.float32):
            if weights is None:
                return self.objective(self.run.model, moved)
            return self.objective(self.run.model, moved, weights)  # type: ignore[call-arg]

    def train(self) -> bool:
        """Trains from `run.step`; a signal ends it with a checkpoint, at once while it waits for a batch.

        Returns:
            Whether the last step is done (False after a signal, which `interruption` names, or `stop_after`).

        Raises:
            Diverged: if the loss or the gradient is not finite; the last checkpoint stays.
            DatasetError: no more batches can be made; a checkpoint of the finished steps is written first.
            WriteError: log or checkpoint cannot be written; the last checkpoint stays, or a newer one if it fits.
        """
        config, run, last = self.config, self.run, self.last_step
        started, failed = list[Observer](), True
        try:
            with self.interruption:
                for observer in self.observers:
                    observer.on_start(self)
                    started.append(observer)
                self._train_until(last)
                if self.interruption.number is not None:
                    self._save()
            failed = False
        finally:
            for observer in started:
                observer.on_end(run.step, failed=failed)
        return run.step >= config.steps

    def _train_until(self, last: int) -> None:
        config, run, first = self.config, self.run, self.run.step
        loader = LoaderConfig(config.workers, damaged_limit=config.damaged_limit, memory_mb=config.loader_memory_mb)
        start, stop = first * config.accumulate, last * config.accumulate
        stream = batches(self.batches, start, stop, config=loader, on_damage=self._report_damage)
        try:
            self._run_steps(stream, last)
        except (DatasetError, OSError):  # no more batches, or log or terminal cannot be written
            if run.step > first:
                with suppress(WriteError):
                    self._save()
            raise
        finally:
            stream.close()

    def _run_steps(self, stream: Iterator[Batch], last: int) -> None:
        config, run, arriving = self.config, self.run, self._until_signal(stream)
        while True:
            clock = _Clock()
            parts = tuple(itertools.islice(arriving, config.accumulate))
            if len(parts) < config.accumulate:
                return
            clock.lap("batch")
            report = self.step(*parts)
            report.seconds.update(clock.seconds)
            for observer in self.observers:
                observer.on_step(report)
            if run.step % config.validate_every == 0 or run.step == last:
                lines = self.validate(self._report_held_out)
                for observer in self.observers:
                    observer.on_validation(run.step, lines)
            if run.step % config.checkpoint_every == 0 or run.step == last:
                self._save()

    def _until_signal(self, stream: Iterator[Batch]) -> Iterator[Batch]:
        """The batches until a signal comes; it is noticed at once while a batch is made or waited for."""
        with suppress(KeyboardInterrupt):
            while True:
                with self.interruption.waiting():
                    batch = next(stream, None)
                if batch is None:
                    return
                yield batch

    def _save(self) -> None:
        """Writes a checkpoint, unless this step has one."""
        if self._saved != self.run.step:
            save_run(Path(self.config.out) / CHECKPOINT, self.run, self.bundle, self.config)
            self._saved = self.run.step
            self._report_saved()

    def _report_saved(self) -> None:
        """Tells of the checkpoint that was written last."""
        for observer in self.observers:
            observer.on_checkpoint(self._saved or 0, Path(self.config.out) / CHECKPOINT)

    def _report_damage(self, damage: ExampleError) -> None:
        for observer in self.observers:
            observer.on_damage(self.run.step, damage)

    def _report_held_out(self, damage: ExampleError) -> None:
        if (damage.dataset, damage.episode) not in self._reported:
            self._reported.add((damage.dataset, damage.episode))
            self._report_damage(damage)

    @torch.no_grad()
    def validate(self, on_damage: Callable[[ExampleError], None] = lambda error: None) -> dict[str, Line]:
        """Loss and figures of the averaged weights on held-out batches.

        Args:
            on_damage: called with each held-out record that is damaged and therefore left out.

        Returns:
            The means over all validators under "", and the line of each if there are several; without validators that
            have no readable record, and empty after a signal.
        """
        self.run.model.eval()
        with self.run.averaged():
            lines = {name: self._means(one.batches(on_damage)) for name, one in self.validators.items()}
        return {} if self.interruption.number is not None else with_mean(lines, self.validators)

    def _means(self, stream: Iterator[Batch]) -> Line:
        means = Means()
        for batch in self._until_signal(stream):
            outcome = self.measure(batch)
            means.add(outcome, outcome.weight.item())
        return means.values()


class _Clock:
    """Seconds by name, each counted from the lap before."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, name: str) -> None:
        """Adds the time since the last lap."""
        now = time.perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now

"""The training loop: batches in, weights out; it can stop and resume at any step without effect on the result."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic

import numpy as np
import torch
from torch import nn

from embodio.datasets.errors import DatasetError, ExampleError
from embodio.datasets.stream.loader import BatchMaker, LoaderConfig
from embodio.datasets.stream.stream import batches
from embodio.model.network.batch import Batch
from embodio.model.writing import WriteError
from embodio.train.bundles import Bundle
from embodio.train.errors import Diverged
from embodio.train.interruption import Interruption
from embodio.train.log import Means, Meter, RunLog, plot_log
from embodio.train.objective import Network, Objective, Outcome
from embodio.train.optimisers.optimiser import learning_rate
from embodio.train.progress import TrainProgress
from embodio.train.run import CHECKPOINT, Run, save_run
from embodio.train.run_config import RunConfig
from embodio.train.validation import Line, Validator, with_mean

LOG = "log.jsonl"
PLOT = "loss.png"


def seed_devices(seed: int, step: int) -> None:
    """Seeds torch on all devices for one step, so that dropout is a function of (seed, step) alone."""
    torch.manual_seed(int(np.random.SeedSequence((seed, step)).generate_state(1, np.uint64)[0]))


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
    """

    run: Run[Network]
    batches: BatchMaker
    objective: Objective[Network]
    bundle: Bundle[Network]
    validators: Mapping[str, Validator]
    config: RunConfig
    interruption: Interruption = field(default_factory=lambda: Interruption(at_once=False))
    _saved: int | None = field(default=None, init=False)
    _reported: set[tuple[str, int]] = field(default_factory=set, init=False)  # held-out episodes

    def step(self, batch: Batch) -> Outcome:
        """One optimiser step.

        Args:
            batch: training batch number `run.step`, on the CPU.

        Returns:
            Loss and figures of the batch, computed before the update.

        Raises:
            Diverged: the loss or the gradient is not finite; the weights stay.
        """
        run, optimiser = self.run, self.run.optimiser
        seed_devices(self.config.seed, run.step)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(run.step, self.config.steps, self.config.optimiser)
        run.model.train()
        outcome = self.measure(batch)
        optimiser.zero_grad(set_to_none=True)
        outcome.loss.backward()
        norm = nn.utils.clip_grad_norm_(run.model.parameters(), self.config.optimiser.clip, foreach=True)
        if not math.isfinite(loss := outcome.loss.item()) or not math.isfinite(norm.item()):
            raise Diverged(
                f"step {run.step}: loss {loss}, gradient norm {norm.item()}; lower optimiser.learning_rate and go on "
                "from the last checkpoint"
            )
        optimiser.step()
        if run.average is not None:
            run.average.update(run.step)
        run.step += 1
        return outcome._replace(loss=outcome.loss.detach())

    def measure(self, batch: Batch) -> Outcome:
        """Loss and figures of a batch, computed on the device and in the precision of the run."""
        device = torch.device(self.config.device)
        moved = {key: value.to(device, non_blocking=True) for key, value in batch.items()}
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.config.precision == "bfloat16"):
            return self.objective(self.run.model, moved)

    def train(self) -> bool:
        """Trains from `run.step`; a signal ends it with a checkpoint, at once while it waits for a batch.

        Returns:
            Whether the last step is done (False after a signal, which `interruption` names, or `stop_after`).

        Raises:
            Diverged: if the loss or the gradient is not finite; the last checkpoint stays.
            DatasetError: no more batches can be made; a checkpoint of the finished steps is written first.
            WriteError: log or checkpoint cannot be written; the last checkpoint stays, or a newer one if it fits.
        """
        config, run = self.config, self.run
        out, first = Path(config.out), run.step
        last = min(config.steps, first + config.stop_after) if config.stop_after else config.steps
        log = RunLog(out / LOG, first)
        with self.interruption, TrainProgress(first, config.steps) as progress:
            if log.damaged:
                progress.say(f"{out / LOG}: lines {', '.join(map(str, log.damaged))} are damaged and left out")

            def report(damage: ExampleError) -> None:
                log.write(kind="damaged", step=run.step, what=str(damage))
                progress.damaged(damage)

            loader = LoaderConfig(config.workers, damaged_limit=config.damaged_limit, memory_mb=config.loader_memory_mb)
            stream = batches(self.batches, first, last, config=loader, on_damage=report)
            try:
                self._run_steps(stream, last, log, progress)
            except (DatasetError, OSError):  # no more batches, or log or terminal cannot be written
                if run.step > first:
                    with suppress(WriteError):
                        self._save()
                raise
            finally:
                stream.close()
            if self.interruption.number is not None:
                self._save()
        plot_log(out / LOG, out / PLOT)
        return run.step >= config.steps

    def _run_steps(self, stream: Iterator[Batch], last: int, log: RunLog, progress: TrainProgress) -> None:
        config, run, meter = self.config, self.run, Meter()
        for batch in self._until_signal(stream):
            meter.add(self.step(batch), config.batch_size)
            if run.step % config.log_every == 0 or run.step == last:
                line = meter.line(run.step)
                log.write(kind="train", **line)
                progress.update(run.step, line)
            if run.step % config.validate_every == 0 or run.step == last:
                self._report_validation(log, progress)
                meter = Meter()
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

    def _report_validation(self, log: RunLog, progress: TrainProgress) -> None:
        def report(damage: ExampleError) -> None:
            if (damage.dataset, damage.episode) not in self._reported:
                self._reported.add((damage.dataset, damage.episode))
                log.write(kind="damaged", step=self.run.step, what=str(damage))
                progress.damaged(damage)

        for name, line in self.validate(report).items():
            log.write(kind="validation", step=self.run.step, **line, **({"task": name} if name else {}))
            progress.note(self.run.step, name, line)

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

"""The training loop: batches in, weights out; stops and goes on at any step without a trace."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import RenderableType

from embodio.agent.format.policy_format import PolicyFormat
from embodio.agent.format.robot_formats import RobotFormats
from embodio.datasets.errors import DatasetError, ExampleError
from embodio.datasets.stream.loader import LoaderConfig
from embodio.datasets.stream.stream import BatchStream, batches
from embodio.model.network.batch import Batch
from embodio.model.network.loss import LossOutput, TargetOutput
from embodio.model.writing import WriteError
from embodio.train.config import TrainConfig
from embodio.train.errors import Diverged
from embodio.train.interruption import Interruption
from embodio.train.log import RunLog, plot_log
from embodio.train.metrics import text_accuracy
from embodio.train.optimisers.optimiser import learning_rate
from embodio.train.progress import TrainProgress
from embodio.train.state import Run, save_run

CHECKPOINT = "checkpoint"
LOG = "log.jsonl"
PLOT = "loss.png"


_FIGURES = ("loss", "accuracy")


class StepResult(NamedTuple):
    """What one step gave: its loss, right and all text tokens, and the cross-entropy of each modality."""

    loss: float
    right: int
    tokens: int
    parts: Mapping[str, float]


@dataclass
class Trainer:
    """Runs optimiser steps until the end, a signal, or `config.stop_after`.

    Attributes:
        config: all settings.
        run: network, optimiser, average, step.
        robots: the robots of the data, which go into the checkpoint.
        stream: training batches by number.
        validation: name of a task -> makes its validation batches, and reports damaged records.
        rates: name of a task -> its share of the stream.
        notes: what is left out of the data, and which weights it begins with, for people.
        interruption: takes SIGINT and SIGTERM while `train` runs.
    """

    config: TrainConfig
    run: Run
    robots: RobotFormats
    stream: BatchStream
    validation: Mapping[str, Callable[..., Iterator[Batch]]]
    rates: Mapping[str, float]
    notes: Sequence[RenderableType] = ()
    interruption: Interruption = field(default_factory=lambda: Interruption(at_once=False))
    _saved: int | None = field(default=None, init=False)
    _reported: set[tuple[str, int]] = field(default_factory=set, init=False)  # held-out episodes

    @property
    def policy_format(self) -> PolicyFormat:
        """How the robot is read and written; of several the default, or the first."""
        return self.robots[self.robots.default or next(iter(self.robots))]

    def train(self) -> bool:
        """Goes on from `run.step`; a signal ends it with a checkpoint, at once where it waits for a batch.

        Returns:
            Whether the last step is done (False after a signal, which `interruption` names, or `stop_after`).

        Raises:
            Diverged: if the loss or the gradient is not finite; the last checkpoint stays.
            DatasetError: no more batches can be made; a checkpoint of the steps before is written first.
            WriteError: log or checkpoint cannot be written; the last checkpoint stays, or a newer one if there is room.
        """
        config, run = self.config, self.run
        out = Path(config.out)
        last = min(config.steps, run.step + config.stop_after) if config.stop_after else config.steps
        log = RunLog(out / LOG, run.step)
        with self.interruption, TrainProgress(run.step, config.steps) as progress:
            if log.damaged:
                progress.say(f"{out / LOG}: lines {', '.join(map(str, log.damaged))} are damaged and left out")
            meter = _Meter()

            def report(damage: ExampleError) -> None:
                log.write(kind="damaged", step=run.step, what=str(damage))
                progress.damaged(damage)

            loader = LoaderConfig(config.workers, damaged_limit=config.damaged_limit, memory_mb=config.loader_memory_mb)
            first, stream = run.step, batches(self.stream, run.step, last, config=loader, on_damage=report)
            try:
                for batch in self._until_signal(stream):
                    meter.add(self._step(batch), config.batch_size)
                    if run.step % config.log_every == 0 or run.step == last:
                        line = meter.line(run.step)
                        log.write(kind="train", **line)
                        progress.update(run.step, line)
                    if run.step % config.validate_every == 0 or run.step == last:
                        self._report_validation(log, progress)
                        meter = _Meter()
                    if run.step % config.checkpoint_every == 0 or run.step == last:
                        self._save()
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
        """Writes a checkpoint, unless that of this step is there."""
        if self._saved != self.run.step:
            save_run(Path(self.config.out) / CHECKPOINT, self.run, self.robots, self.config)
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

    def _step(self, batch: Batch) -> StepResult:
        """One optimiser step."""
        run, optimiser = self.run, self.run.optimiser
        rate = learning_rate(run.step, self.config.steps, self.config.optimiser)
        for group in optimiser.param_groups:
            group["lr"] = rate
        run.model.train()
        outputs, loss = self._forward(batch)
        total = loss.total
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(run.model.parameters(), self.config.optimiser.clip, foreach=True)
        value = total.item()
        if not math.isfinite(value) or not math.isfinite(norm.item()):
            raise Diverged(
                f"step {run.step}: loss {value}, gradient norm {norm.item()}; lower optimiser.learning_rate and go on "
                "from the last checkpoint"
            )
        optimiser.step()
        if run.average is not None:
            run.average.update(run.step)
        run.step += 1
        parts = {name: part.cross_entropy.item() for name, part in loss.modalities.items()}
        return StepResult(value, *text_accuracy(outputs), parts)

    def _forward(self, batch: Batch) -> tuple[dict[str, TargetOutput], LossOutput]:
        device = torch.device(self.config.device)
        batch = {key: value.to(device, non_blocking=True) for key, value in batch.items()}
        half = self.config.precision == "bfloat16"
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=half):
            outputs = self.run.model(batch)
        return outputs, self.run.model.loss(outputs, z_loss=self.config.z_loss)

    @torch.no_grad()
    def validate(self, on_damage: Callable[[ExampleError], None] = lambda error: None) -> dict[str, dict[str, float]]:
        """Loss and accuracy of the averaged weights on held-out episodes.

        Args:
            on_damage: told of each held-out record that is damaged and therefore left out.

        Returns:
            The figures of each task where there are several; under "" their means, as the tasks are mixed. Nothing of
            tasks without a record that can be read, and nothing at all after a signal.
        """
        run = self.run
        run.model.eval()
        with run.averaged():
            measured = {name: self._validate(make(on_damage)) for name, make in self.validation.items()}
        found = {name: line for name, line in measured.items() if line}
        if not found or self.interruption.number is not None:
            return {}
        share = sum(self.rates[name] for name in found)
        mean = {key: sum(self.rates[name] * line[key] for name, line in found.items()) / share for key in _FIGURES}
        return {"": mean} | (found if len(found) > 1 else {})

    def _validate(self, batches: Iterator[Batch]) -> dict[str, float]:
        total, weight, right, tokens = 0.0, 0, 0, 0
        for batch in self._until_signal(batches):
            outputs, loss = self._forward(batch)
            hits, count = text_accuracy(outputs)
            size = count or len(next(iter(outputs.values())).targets)
            total, weight = total + loss.total.item() * size, weight + size
            right, tokens = right + hits, tokens + count
        return {"loss": total / weight, "accuracy": right / max(1, tokens)} if weight else {}


class _Meter:
    """Means since the last line of the log."""

    def __init__(self) -> None:
        self._restart()

    def _restart(self) -> None:
        self._loss, self._steps, self._right, self._tokens, self._examples = 0.0, 0, 0, 0, 0
        self._parts: dict[str, list[float]] = {}
        self._since = time.monotonic()

    def add(self, result: StepResult, examples: int) -> None:
        """Takes in one step."""
        self._loss += result.loss
        self._right += result.right
        self._tokens += result.tokens
        for name, part in result.parts.items():
            self._parts.setdefault(name, []).append(part)
        self._steps += 1
        self._examples += examples

    def line(self, step: int) -> dict[str, float]:
        """The means, and a new start."""
        seconds = time.monotonic() - self._since
        values = {
            "step": step,
            "loss": self._loss / max(1, self._steps),
            "accuracy": self._right / max(1, self._tokens),
            "examples_per_second": self._examples / max(1e-9, seconds),
            "seconds_per_step": seconds / max(1, self._steps),
        }
        if set(self._parts) - {"text"}:
            values |= {f"loss_{name}": sum(parts) / len(parts) for name, parts in self._parts.items()}
        self._restart()
        return values

"""The training loop: batches in, weights out; stops and goes on at any step without a trace."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from embodio.agent.format.policy_format import PolicyFormat
from embodio.datasets.errors import ExampleError
from embodio.datasets.stream.loader import LoaderConfig
from embodio.datasets.stream.stream import BatchStream, batches
from embodio.model.network.collation import Batch
from embodio.model.network.loss import LossOutput, TargetOutput
from embodio.train.config import TrainConfig
from embodio.train.errors import Diverged
from embodio.train.log import RunLog
from embodio.train.metrics import text_accuracy
from embodio.train.optimisers.optimiser import learning_rate
from embodio.train.progress import TrainProgress
from embodio.train.state import Run, save_run

CHECKPOINT = "checkpoint"
LOG = "log.jsonl"


_FIGURES = ("loss", "accuracy")


class StepResult(NamedTuple):
    """What one step gave: its loss, right and all text tokens, and the cross-entropy of each modality."""

    loss: float
    right: int
    tokens: int
    parts: Mapping[str, float]


@dataclass
class Trainer:
    """Runs optimiser steps until the end, an interrupt, or `config.stop_after`.

    Attributes:
        config: all settings.
        run: network, optimiser, average, step.
        policy_format: goes into the checkpoint.
        stream: training batches by number.
        validation: name of a task -> makes its validation batches anew each time.
        rates: name of a task -> its share of the stream.
    """

    config: TrainConfig
    run: Run
    policy_format: PolicyFormat
    stream: BatchStream
    validation: Mapping[str, Callable[[], Iterator[Batch]]]
    rates: Mapping[str, float]

    def train(self) -> bool:
        """Goes on from `run.step`.

        Returns:
            Whether the last step is done (False after an interrupt or `stop_after`).

        Raises:
            Diverged: if the loss or the gradient is not finite; the last checkpoint stays.
        """
        config, run = self.config, self.run
        out = Path(config.out)
        last = min(config.steps, run.step + config.stop_after) if config.stop_after else config.steps
        log = RunLog(out / LOG, run.step)
        with interruptible() as interrupted, TrainProgress(run.step, config.steps) as progress:
            meter = _Meter()

            def report(damage: ExampleError) -> None:
                log.write(kind="damaged", step=run.step, what=str(damage))
                progress.damaged(damage)

            loader = LoaderConfig(config.workers, damaged_limit=config.damaged_limit, memory_mb=config.loader_memory_mb)
            for batch in batches(self.stream, run.step, last, config=loader, on_damage=report):
                meter.add(self._step(batch), config.batch_size)
                if run.step % config.log_every == 0 or run.step == last:
                    line = meter.line(run.step)
                    log.write(kind="train", **line)
                    progress.update(run.step, line)
                if run.step % config.validate_every == 0 or run.step == last:
                    for name, line in self.validate().items():
                        log.write(kind="validation", step=run.step, **line, **({"task": name} if name else {}))
                        progress.note(run.step, name, line)
                    meter = _Meter()
                if run.step % config.checkpoint_every == 0 or run.step == last or interrupted():
                    save_run(out / CHECKPOINT, run, self.policy_format, config)
                if interrupted():
                    break
        log.close()
        return run.step >= config.steps

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
    def validate(self) -> dict[str, dict[str, float]]:
        """Loss and accuracy of the averaged weights on held-out episodes.

        Returns:
            The figures of each task where there are several; under "" their means, as the tasks are mixed.
        """
        run = self.run
        run.model.eval()
        if run.average is not None:
            run.average.swap()
        found = {name: self._validate(make()) for name, make in self.validation.items()}
        if run.average is not None:
            run.average.swap()
        share = sum(self.rates[name] for name in found)
        mean = {key: sum(self.rates[name] * line[key] for name, line in found.items()) / share for key in _FIGURES}
        return {"": mean} | (found if len(found) > 1 else {})

    def _validate(self, batches: Iterator[Batch]) -> dict[str, float]:
        total, weight, right, tokens = 0.0, 0, 0, 0
        for batch in batches:
            outputs, loss = self._forward(batch)
            hits, count = text_accuracy(outputs)
            size = count or len(next(iter(outputs.values())).targets)
            total, weight = total + loss.total.item() * size, weight + size
            right, tokens = right + hits, tokens + count
        return {"loss": total / max(1, weight), "accuracy": right / max(1, tokens)}


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


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Turns the first Ctrl-C or SIGTERM into a flag that is asked between steps; a second one acts as usual."""
    caught: list[int] = []
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in signals}

    def catch(number: int, _frame: object) -> None:
        caught.append(number)
        signal.signal(number, before[signal.Signals(number)])

    for number in signals:
        signal.signal(number, catch)
    try:
        yield lambda: bool(caught)
    finally:
        for number in signals:
            signal.signal(number, before[number])

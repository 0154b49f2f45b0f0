"""Observer: told of what happens in a run, without effect on its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from embodio.datasets.errors import ExampleError
from embodio.model.network.batch import Batch
from embodio.train.objective import Outcome
from embodio.train.validation import Line

if TYPE_CHECKING:
    from embodio.train.loop import Trainer


@dataclass(frozen=True)
class StepReport:
    """What one optimiser step did.

    Attributes:
        step: optimiser steps done, this one included.
        batches: what it was computed from, on the CPU: one batch, or `accumulate` of them.
        outcome: loss and figures before the update; of several batches those of all together.
        norm: global norm of the gradient before clipping.
        rate: learning rate.
        updated: False if the guard, or an overflow in float16, left the weights as they were.
        seconds: what took how long: "forward", "backward" and "update", and "batch", the waiting before the step. On a
            GPU, which is waited for only at the end, the first ones are too short and "update" too long.
        positions: places in the stream of the examples of `outcome.rows`; empty where batches do not say.
    """

    step: int
    batches: Sequence[Batch]
    outcome: Outcome
    norm: float
    rate: float
    updated: bool
    seconds: dict[str, float]
    positions: tuple[int, ...] = ()

    @property
    def loss(self) -> Tensor:
        """The loss, a scalar without gradients."""
        return self.outcome.loss


class Observer:
    """Told of what happens in a run; these methods do nothing, and a subclass writes those that it needs.

    An observer may read everything and change nothing of it. It may draw random numbers, as each step seeds its own.
    What it raises ends the run: an OSError after a checkpoint of the steps that are done. Of several processes the
    first has observers; its network is in parts, which an observer may not run.
    """

    def on_start(self, trainer: Trainer[Any]) -> None:
        """Training begins, or goes on, after `trainer.run.step` steps."""

    def on_step(self, report: StepReport) -> None:
        """A step was done."""

    def on_validation(self, step: int, lines: Mapping[str, Line]) -> None:
        """Held-out batches were measured after `step` steps; `lines` is what `Trainer.validate` returns."""

    def on_checkpoint(self, step: int, folder: Path) -> None:
        """A checkpoint was written after `step` steps."""

    def on_damage(self, step: int, error: ExampleError) -> None:
        """A record was left out, and another one taken in its place.

        Each damaged episode is told once; an intact record that gives no example (NothingToLearn) each time it is
        drawn.
        """

    def on_end(self, step: int, *, failed: bool) -> None:
        """Training ended after `step` steps: at its end, by a signal, or `failed` with an exception that follows."""

"""What the first of several processes tells its observers: the figures of all parts of a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor

from embodio.datasets.errors import ExampleError
from embodio.model.network.loss import RowSums
from embodio.train.observers.observer import Observer, StepReport
from embodio.train.parallel.world import REPLICATE, SHARD, TrainingWorld, gathered
from embodio.train.validation import Line

if TYPE_CHECKING:
    from embodio.train.loop import Trainer


class KeptFailure(Observer):
    """Tells other observers; the first OSError that one of them raises is kept for when all processes meet.

    Raised at once, it would end this process while the others wait for its part of the next batch.

    Args:
        observers: of this process.

    Attributes:
        failure: what was raised; nobody is told anything after it but of the end.
    """

    def __init__(self, observers: Sequence[Observer]) -> None:
        self.failure: OSError | None = None
        self._observers, self._started = observers, list[Observer]()

    def on_start(self, trainer: Trainer[Any]) -> None:
        """Tells all observers, as the other methods do."""

        def start(observer: Observer) -> None:
            observer.on_start(trainer)
            self._started.append(observer)

        self._tell(self._observers, start)

    def on_step(self, report: StepReport) -> None:
        """A step was done."""
        self._tell(self._started, lambda one: one.on_step(report))

    def on_validation(self, step: int, lines: Mapping[str, Line]) -> None:
        """Held-out batches were measured."""
        self._tell(self._started, lambda one: one.on_validation(step, lines))

    def on_checkpoint(self, step: int, folder: Path) -> None:
        """A checkpoint was written."""
        self._tell(self._started, lambda one: one.on_checkpoint(step, folder))

    def on_damage(self, step: int, error: ExampleError) -> None:
        """A record was left out."""
        self._tell(self._started, lambda one: one.on_damage(step, error))

    def on_end(self, step: int, *, failed: bool) -> None:
        """Training ended, for those that were told of its start."""
        for observer in self._started:
            try:
                observer.on_end(step, failed=failed or self.failure is not None)
            except OSError as error:
                self.failure = self.failure or error

    def _tell(self, observers: Sequence[Observer], what: Callable[[Observer], None]) -> None:
        for observer in observers:
            if self.failure is not None:
                return
            try:
                what(observer)
            except OSError as error:
                self.failure = error


def rows_of_all(
    world: TrainingWorld, rows: Mapping[str, RowSums], positions: Sequence[int]
) -> tuple[dict[str, RowSums], tuple[int, ...]]:
    """The sums of the examples of all parts of a batch, in the order of the parts, and their places in the stream.

    Args:
        world: the processes; all of them call it.
        rows: modality -> sums of the examples of this part.
        positions: the places of these examples; empty if they are not known.
    """
    own = {name: one.sums.cpu() for name, one in rows.items()}
    sizes = {name: len(one.ids) for name, one in rows.items()}
    parts = {rank: part for rank, *part in gathered((world.rank, own, sizes, tuple(positions)))}
    ordered = [parts[rank] for rank in sorted(parts)]
    known = {name: size for _, found, _ in ordered for name, size in found.items()}
    if not known:
        return {}, ()
    none = {name: torch.zeros(size, device=world.device) for name, size in known.items()}
    ids = torch.cat([rows[name].ids.float() if name in rows else none[name] for name in known])
    for dimension in (REPLICATE, SHARD):
        dist.all_reduce(ids, group=world.mesh.get_group(dimension))
    split = dict(zip(known, ids.cpu().split(list(known.values())), strict=True))
    found = {
        name: RowSums(torch.cat([_sums(name, sums, places) for sums, _, places in ordered]), split[name])
        for name in known
    }
    return found, tuple(position for _, _, places in ordered for position in places)


def _sums(name: str, sums: Mapping[str, Tensor], places: Sequence[int]) -> Tensor:
    """The sums [B, 4] of a modality of one part, zeros if none of its examples has it."""
    length = max(map(len, sums.values()), default=len(places))
    return sums.get(name, torch.zeros(length, 4))

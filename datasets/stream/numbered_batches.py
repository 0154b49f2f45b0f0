"""NumberedBatches: batch number `step` of numbered records, a pure function of (seed, step)."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, Protocol, Self, TypeVar

import numpy as np

from embodio.datasets.errors import (
    WHOLE,
    CorruptRecordError,
    DamagedRecord,
    DatasetError,
    ExampleError,
    FeatureError,
    NothingToLearn,
    SkippedRecord,
    UnusableRecord,
)
from embodio.datasets.stream.mixture import Mixture
from embodio.datasets.stream.order import record_at, spare_record_at
from embodio.datasets.tasks.parts.record_task import Place
from embodio.model.errors import ModelError
from embodio.model.network.batch import Allocate, Batch
from embodio.model.processing.image import GeometryError

SPARES = 16
"""Records that are tried in place of one that gives no Example, each a new draw."""

_DAMAGE = (CorruptRecordError, FeatureError, UnicodeDecodeError)
_NOTHING = (UnusableRecord, GeometryError)
PROBLEMS = (DatasetError, ModelError, ValueError, LookupError, OSError)
"""Errors that making an example may raise; anything else is a bug."""


class NumberedRecords(Protocol):
    """Records by number, such as a `RecordTask`."""

    @property
    def damaged(self) -> tuple[ExampleError, ...]:
        """Episodes that were left out because they are damaged."""

    def __len__(self) -> int: ...

    def place(self, index: int) -> Place:
        """Where record `index` comes from, for messages."""


Task = TypeVar("Task", bound=NumberedRecords)
Made = TypeVar("Made")


class NumberedBatches(ABC, Generic[Task]):
    """Batches by number; reading changes nothing, so any worker may make any batch.

    A record that gives no Example is replaced by another one of its task, drawn from (seed, position) too. With
    several ranks each makes its own part of every batch; the parts in the order of the ranks are the whole batch.

    Args:
        task: where records come from.
        seed: of the order and of all draws.
        batch_size: records in a batch of all ranks together.
        rank: number of this process among those that train together.
        ranks: number of those processes.

    Raises:
        DatasetError: the batch cannot be divided evenly, or there is no such rank.
    """

    def __init__(self, task: Task | Mixture, seed: int, batch_size: int, *, rank: int = 0, ranks: int = 1) -> None:
        _require_even_shares(batch_size, rank, ranks)
        self._task = task
        self._seed, self._batch_size = seed, batch_size
        self._rank, self._ranks = rank, ranks

    @property
    def damaged(self) -> tuple[ExampleError, ...]:
        """Episodes that are damaged and were left out from the start."""
        return self._task.damaged

    def __getitem__(self, step: int) -> Batch:
        """Batch number `step`."""
        return self.make(step)[0]

    @abstractmethod
    def make(self, step: int, allocate: Allocate = np.empty) -> tuple[Batch, tuple[ExampleError, ...]]:
        """Batch number `step`, and what was wrong with the records that were replaced in it.

        Args:
            step: number of the batch.
            allocate: allocates the memory of its tensors.

        Raises:
            ExampleError: an example cannot be made although its record is intact, or no spare record gives one.
        """

    def shared_out(self, rank: int, ranks: int) -> Self:
        """The same batches, of which this process makes one part.

        Args:
            rank: number of the part.
            ranks: number of parts.

        Raises:
            DatasetError: the batch cannot be divided evenly, or there is no such part.
        """
        _require_even_shares(self._batch_size, rank, ranks)
        part = copy.copy(self)
        part._rank, part._ranks = rank, ranks
        return part

    def positions(self, step: int) -> range:
        """The places of the global stream that this rank makes in batch `step`."""
        share = self._batch_size // self._ranks
        first = step * self._batch_size + self._rank * share
        return range(first, first + share)

    def draw(self, position: int, attempt: int = 0) -> tuple[Task, int]:
        """The task and the record at a place of the global stream; `attempt` counts spare records."""
        if isinstance(self._task, Mixture):
            return self._task.draw(self._seed, position, attempt)  # type: ignore[return-value]
        record = record_at(self._seed, position, len(self._task))
        if attempt:
            record = spare_record_at(self._seed, position, attempt, len(self._task))
        return self._task, record

    def task_at(self, position: int) -> str:
        """The name of the task at a place of the global stream; "" if there is only one."""
        if not isinstance(self._task, Mixture):
            return ""
        return self._task.entries[self._task.place(self._seed, position)[0]].name

    def origin(self, position: int) -> str:
        """Task and record at a place of the global stream, for messages; spare records are not known."""
        task, record = self.draw(position)
        place, name = task.place(record), self.task_at(position)
        inside = f"record {place.episode}" if place.step == WHOLE else f"episode {place.episode}, step {place.step}"
        return f"position {position}: {f'{name}, ' if name else ''}{place.dataset}, {inside}"

    def _all_whole(
        self, step: int, make: Callable[[Task, int, int], Made]
    ) -> tuple[list[Made], tuple[ExampleError, ...]]:
        """The results of `_first_whole` for the places of batch `step`, and the errors of the others."""
        damage: list[ExampleError] = []
        return [self._first_whole(position, damage, make) for position in self.positions(step)], tuple(damage)

    def _first_whole(self, position: int, damage: list[ExampleError], make: Callable[[Task, int, int], Made]) -> Made:
        """The result of `make` for the first record for this place that gives one.

        Args:
            position: the place in the stream.
            damage: errors of the others are added here.
            make: called with the task, the record and the position.
        """
        for attempt in range(1 + SPARES):
            task, record = self.draw(position, attempt)
            try:
                return made(task, record, lambda index, task=task: make(task, index, position))  # type: ignore[misc]
            except SkippedRecord as error:
                damage.append(error)
        raise damage[-1]


def _require_even_shares(batch_size: int, rank: int, ranks: int) -> None:
    if not 0 <= rank < ranks:
        raise DatasetError(f"rank: got {rank} of {ranks}, expected 0 to {ranks - 1}")
    if batch_size < 1 or batch_size % ranks:
        raise DatasetError(f"batch_size: {batch_size} examples cannot be shared out evenly to {ranks} ranks")


def made(task: NumberedRecords, record: int, make: Callable[[int], Made]) -> Made:
    """The result of `make` for a record.

    Raises:
        SkippedRecord: the record is damaged, or intact with nothing to learn.
        ExampleError: making fails; all say where it is.
    """
    try:
        return make(record)
    except PROBLEMS as error:
        place = task.place(record)
        kind = ExampleError
        if isinstance(error, _DAMAGE):
            kind = DamagedRecord
        elif isinstance(error, _NOTHING):
            kind = NothingToLearn
        raise kind(place.dataset, place.episode, place.step, _text(error)) from error


def _text(error: Exception) -> str:
    return str(error) if isinstance(error, DatasetError | ModelError) else f"{type(error).__name__}: {error}"

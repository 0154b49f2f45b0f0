"""The stream of training batches: batch number `step` is a pure function of (seed, step)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from embodio.datasets.errors import CorruptRecordError, DatasetError, ExampleError, FeatureError
from embodio.datasets.loader import Loader, LoaderConfig
from embodio.datasets.mixture import Mixture
from embodio.datasets.order import generator_at, mask_generator_at, record_at, spare_record_at
from embodio.datasets.record_task import RecordTask
from embodio.model.collation import Batch, collate
from embodio.model.errors import ModelError
from embodio.model.example import Example
from embodio.model.processor import Features

SPARES = 16
"""Records that are tried in place of a damaged one, each drawn anew."""

_DAMAGE = (CorruptRecordError, FeatureError, UnicodeDecodeError)
_PROBLEMS = (DatasetError, ModelError, ValueError, LookupError, OSError)


class FeatureMaker(Protocol):
    """Makes Features of an Example; `embodio.model.Processor` is one."""

    def __call__(self, example: Example, rng: np.random.Generator | None = None) -> Features:
        """The Features; `rng` draws what is random in it."""


class BatchStream:
    """Batches by number; nothing in it changes while it is read, so any worker may make any batch.

    A record that is damaged is replaced by another one of its task, which is drawn from (seed, position) too. With
    several ranks each makes its own part of every batch; the parts in the order of the ranks are the whole batch.

    Args:
        task: where Examples come from.
        processor: Example -> Features.
        seed: of the order and of all draws.
        batch_size: examples in a batch of all ranks together.
        rank: number of this process among those that train together.
        ranks: how many they are.

    Raises:
        DatasetError: the batch cannot be shared out, or there is no such rank.
    """

    def __init__(
        self,
        task: RecordTask | Mixture,
        processor: FeatureMaker,
        seed: int,
        batch_size: int,
        *,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        if not 0 <= rank < ranks:
            raise DatasetError(f"rank: got {rank} of {ranks}, expected 0 to {ranks - 1}")
        if batch_size < 1 or batch_size % ranks:
            raise DatasetError(f"batch_size: {batch_size} examples cannot be shared out evenly to {ranks} ranks")
        self._task, self._processor = task, processor
        self._seed, self._batch_size = seed, batch_size
        self._rank, self._ranks = rank, ranks

    @property
    def damaged(self) -> tuple[ExampleError, ...]:
        """Episodes that are damaged and were left out from the start."""
        return self._task.damaged

    def __getitem__(self, step: int) -> Batch:
        """Batch number `step`."""
        return self.make(step)[0]

    def make(self, step: int) -> tuple[Batch, tuple[ExampleError, ...]]:
        """Batch number `step`, and what was wrong with the records that were replaced in it.

        Raises:
            ExampleError: an example cannot be made, and its record is not damaged, or no spare one is whole.
        """
        damage: list[ExampleError] = []
        return collate([self._features(position, damage) for position in self.positions(step)]), tuple(damage)

    def positions(self, step: int) -> range:
        """The places of the global stream that this rank makes in batch `step`."""
        share = self._batch_size // self._ranks
        first = step * self._batch_size + self._rank * share
        return range(first, first + share)

    def draw(self, position: int, attempt: int = 0) -> tuple[RecordTask, int]:
        """The task and the record at a place of the global stream; `attempt` counts spare records."""
        if isinstance(self._task, Mixture):
            return self._task.draw(self._seed, position, attempt)
        record = record_at(self._seed, position, len(self._task))
        if attempt:
            record = spare_record_at(self._seed, position, attempt, len(self._task))
        return self._task, record

    def _features(self, position: int, damage: list[ExampleError]) -> Features:
        for attempt in range(1 + SPARES):
            task, record = self.draw(position, attempt)
            try:
                example = task.example(record, generator_at(self._seed, position))
                return self._processor(example, mask_generator_at(self._seed, position))
            except _PROBLEMS as error:
                place = task.place(record)
                located = ExampleError(place.dataset, place.episode, place.step, _text(error))
                if not isinstance(error, _DAMAGE):
                    raise located from error
                damage.append(located)
        raise damage[-1]


def batches(
    stream: BatchStream,
    start: int,
    stop: int,
    workers: int = 0,
    config: LoaderConfig | None = None,
    on_damage: Callable[[ExampleError], None] | None = None,
) -> Iterator[Batch]:
    """Batches number `start` to `stop - 1` in order, whatever the number of worker processes.

    Args:
        stream: makes the batches.
        start: first batch.
        stop: one past the last batch.
        workers: processes that make batches ahead of time; 0 makes them in this process. Not read if `config` is given.
        config: all settings of the loader.
        on_damage: told of each damaged episode once.

    Raises:
        ExampleError, TooMuchDamage, LoaderError: as `embodio.datasets.loader.Loader` says.
    """
    with Loader(stream, start, stop, config or LoaderConfig(workers=workers), on_damage) as loader:
        yield from loader


def evaluation_batches(
    task: RecordTask, processor: Callable[[Example], Features], records: int, batch_size: int
) -> Iterator[Batch]:
    """At most `records` Examples, evenly spread over the task and without augmentation, in batches."""
    chosen = np.unique(np.linspace(0, len(task) - 1, min(records, len(task))).astype(np.int64))
    for first in range(0, len(chosen), batch_size):
        yield collate([processor(task.example(int(i))) for i in chosen[first : first + batch_size]])


def _text(error: Exception) -> str:
    return str(error) if isinstance(error, DatasetError | ModelError) else f"{type(error).__name__}: {error}"

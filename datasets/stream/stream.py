"""The stream of training batches: batch number `step` is a pure function of (seed, step)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import count
from typing import Protocol

import numpy as np
import torch

from embodio.datasets.errors import ExampleError, SkippedRecord
from embodio.datasets.stream.loader import BatchMaker, Loader, LoaderConfig
from embodio.datasets.stream.mixture import Mixture
from embodio.datasets.stream.numbered_batches import NumberedBatches, made
from embodio.datasets.stream.order import generator_at, mask_generator_at
from embodio.datasets.stream.packing import Capacity, packed
from embodio.datasets.tasks.parts.record_task import RecordTask, spread
from embodio.model.config.model import ModelConfig
from embodio.model.example import Example
from embodio.model.network.batch import POSITIONS, Allocate, Batch, collate
from embodio.model.processing.processor import Features


class FeatureMaker(Protocol):
    """Makes Features of an Example; `embodio.model.Processor` is one."""

    def __call__(self, example: Example, rng: np.random.Generator | None = None) -> Features:
        """The Features; `rng` makes the random draws."""


class BatchStream(NumberedBatches[RecordTask]):
    """Batches of Examples of a task or mixture, see `NumberedBatches`.

    Args:
        task: where Examples come from.
        processor: Example -> Features.
        seed: of the order and of all draws.
        batch_size: examples in a batch of all ranks together.
        rank: number of this process among those that train together.
        ranks: number of those processes.
        packing: the network's configuration and the capacity of a packed row; None for one example per row.

    Raises:
        DatasetError: the batch cannot be divided evenly, into blocks of packing either, or there is no such rank.
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
        packing: tuple[ModelConfig, Capacity] | None = None,
    ) -> None:
        super().__init__(task, seed, batch_size, rank=rank, ranks=ranks)
        self._processor, self._packing = processor, packing
        if packing is not None:
            packing[1].require_blocks(batch_size // ranks)

    def make(self, step: int, allocate: Allocate = np.empty) -> tuple[Batch, tuple[ExampleError, ...]]:
        """Batch number `step`, and what was wrong with the records that were replaced in it."""
        damage: list[ExampleError] = []
        rows = [self._row(position, damage) for position in self.positions(step)]
        batch = dict(collate(rows, allocate=allocate))
        batch[POSITIONS] = torch.tensor(self.positions(step), dtype=torch.int64)
        return batch if self._packing is None else packed(batch, *self._packing), tuple(damage)

    def _row(self, position: int, damage: list[ExampleError]) -> Features:
        attempts = count()

        def features(task: RecordTask, record: int, position: int) -> Features:
            example = task.example(record, generator_at(self._seed, position, next(attempts)))
            return self._processor(example, mask_generator_at(self._seed, position))

        return self._first_whole(position, damage, features)


def batches(
    stream: BatchMaker,
    start: int,
    stop: int,
    workers: int = 0,
    config: LoaderConfig | None = None,
    on_damage: Callable[[ExampleError], None] | None = None,
) -> Generator[Batch, None, None]:
    """Batches number `start` to `stop - 1` in order, whatever the number of worker processes.

    Args:
        stream: makes the batches.
        start: first batch.
        stop: one past the last batch.
        workers: processes that make batches ahead of time; 0 makes them in this process. Not read if `config` is given.
        config: all settings of the loader.
        on_damage: called for each episode or record that is left out, as `Loader` says.

    Raises:
        ExampleError, TooMuchDamage, LoaderError: as `embodio.datasets.stream.loader.Loader` says.
    """
    with Loader(stream, start, stop, config or LoaderConfig(workers=workers), on_damage) as loader:
        yield from loader


def evaluation_batches(
    task: RecordTask,
    processor: FeatureMaker,
    records: int,
    batch_size: int,
    on_damage: Callable[[ExampleError], None] = lambda error: None,
    packing: tuple[ModelConfig, Capacity] | None = None,
) -> Iterator[Batch]:
    """At most `records` Examples, evenly spread over the task and without augmentation, in batches.

    Args:
        task: where Examples come from.
        processor: Example -> Features; where it looks at some patches only, at the same ones in each evaluation.
        records: the maximum number.
        batch_size: Examples in a batch, at most.
        on_damage: called for each record that is left out, as it is damaged or has nothing to learn.
        packing: as in `BatchStream`.

    Raises:
        ExampleError: an Example cannot be made of a record that is not damaged.
    """
    chosen = spread(len(task), records)
    for first in range(0, len(chosen), batch_size):
        rows = list[Features]()
        for index in chosen[first : first + batch_size]:
            try:
                rows.append(made(task, index, lambda i: processor(task.example(i), mask_generator_at(0, i))))
            except SkippedRecord as error:
                on_damage(error)
        if rows:
            batch = collate(rows)
            yield batch if packing is None else packed(batch, *packing)

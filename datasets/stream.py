"""The stream of training batches: batch number `step` is a pure function of (seed, step)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from embodio.datasets.order import generator_at, record_at
from embodio.model.collation import Batch, collate
from embodio.model.example import Example
from embodio.model.processor import Features


class RecordTask(Protocol):
    """A task with numbered records, such as `embodio.datasets.tasks.NextAction`."""

    def __len__(self) -> int: ...

    def example(self, index: int, generator: np.random.Generator | None = None) -> Example:
        """The Example of record `index`."""


class BatchStream(Dataset[Batch]):
    """Batches by number; nothing in it changes while it is read, so any worker may make any batch.

    Args:
        task: where Examples come from.
        processor: Example -> Features.
        seed: of the order and of all draws.
        batch_size: examples in a batch.
    """

    def __init__(self, task: RecordTask, processor: Callable[[Example], Features], seed: int, batch_size: int) -> None:
        self._task, self._processor = task, processor
        self._seed, self._batch_size = seed, batch_size

    def __getitem__(self, step: int) -> Batch:
        """Batch number `step`."""
        first = step * self._batch_size
        return collate([self._features(position) for position in range(first, first + self._batch_size)])

    def _features(self, position: int) -> Features:
        record = record_at(self._seed, position, len(self._task))
        return self._processor(self._task.example(record, generator_at(self._seed, position)))


def batches(stream: BatchStream, start: int, stop: int, workers: int = 0) -> Iterator[Batch]:
    """Batches number `start` to `stop - 1` in order, whatever the number of worker processes.

    Args:
        stream: makes the batches.
        start: first batch.
        stop: one past the last batch.
        workers: processes that make batches ahead of time; 0 makes them in this process.
    """
    if workers:
        _one_thread_each()
    loader = DataLoader(
        stream,
        batch_size=None,
        sampler=range(start, stop),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=_start_worker,
    )
    yield from loader


def _one_thread_each() -> None:
    """Tells the libraries that workers will load to use one thread; those of this process are loaded already."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def _start_worker(_number: int) -> None:
    """One thread for each worker; an interrupt is the main process's business."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def evaluation_batches(
    task: RecordTask, processor: Callable[[Example], Features], records: int, batch_size: int
) -> Iterator[Batch]:
    """At most `records` Examples, evenly spread over the task and without augmentation, in batches."""
    chosen = np.unique(np.linspace(0, len(task) - 1, min(records, len(task))).astype(np.int64))
    for first in range(0, len(chosen), batch_size):
        yield collate([processor(task.example(int(i))) for i in chosen[first : first + batch_size]])

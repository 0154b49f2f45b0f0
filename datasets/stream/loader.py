"""Loader: worker processes make batches ahead of time and hand them over in shared memory, in order."""

from __future__ import annotations

import math
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
import torch

from embodio.datasets.errors import DatasetError, ExampleError, LoaderError, NothingToLearn, TooMuchDamage
from embodio.datasets.stream.maker_thread import MakerThread
from embodio.datasets.stream.shared_memory import ALIGNMENT, SharedBlock
from embodio.datasets.stream.worker import Failure, Made, run_worker
from embodio.datasets.stream.worker_process import start_worker
from embodio.model.network.batch import Allocate, Batch

_REPORTED = 5  # damaged episodes that are listed in an error
_MEGABYTE = 1 << 20
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])  # workers share its memory, and need not load it again


class BatchMaker(Protocol):
    """A maker of numbered batches, such as `embodio.datasets.stream.stream.BatchStream`; it is sent to the workers."""

    @property
    def damaged(self) -> tuple[ExampleError, ...]:
        """Episodes that are damaged and were left out from the start."""

    def make(self, step: int, allocate: Allocate = np.empty) -> tuple[Batch, tuple[ExampleError, ...]]:
        """Batch number `step`, and the errors of the records that were replaced in it.

        Tensors whose memory comes from `allocate` are handed over without a copy; others may be in it too.
        """


@dataclass(frozen=True)
class LoaderConfig:
    """Settings for making batches ahead of time; none of them changes their content.

    Attributes:
        workers: processes that make batches; 0 makes them in this process.
        threads: threads that make batches if there are no workers; 0 makes them where they are requested. They help
            where most of the work is decoding images, which runs on all of them at once.
        prefetch: batches that each worker or thread has ready at most.
        memory_mb: memory for batches that are made, ready, or in use, of all workers or threads together. Where it is
            not enough, what is in use is copied, and what is ready waits.
        timeout: seconds without a sign of life, after which a worker or thread whose batch is due counts as stuck.
        damaged_limit: damaged episodes and records that are skipped; one more stops the run. Intact records that give
            no example are skipped without a limit.
    """

    workers: int = 0
    threads: int = 0
    prefetch: int = 4
    memory_mb: int = 1024
    timeout: float = 300.0
    damaged_limit: int = 100

    def __post_init__(self) -> None:
        for name, least in (("workers", 0), ("threads", 0), ("prefetch", 1), ("memory_mb", 1), ("damaged_limit", 0)):
            if getattr(self, name) < least:
                raise DatasetError(f"{name}: got {getattr(self, name)}, expected {least} or more")
        if self.workers and self.threads:
            raise DatasetError(f"threads: got {self.threads} along with {self.workers} workers; one of them must be 0")
        if not self.timeout > 0:
            raise DatasetError(f"timeout: got {self.timeout}, expected a positive number of seconds")


class Loader(Iterator[Batch]):
    """Batches number `start` to `stop - 1` in order, the same ones whatever the number of workers.

    Batch `s` is made by worker `(s - start) mod workers`, or thread. Each has its own copy of the maker. Workers
    die with this process, however it ends, and leave nothing behind. A batch's memory is reused once nothing refers to
    its tensors any more; it may be kept indefinitely. Use the loader in a `with`
    statement, or call `close`.

    Args:
        maker: makes the batches.
        start: first batch.
        stop: one past the last batch.
        config: number of processes, prefetching, memory.
        on_damage: called once for each damaged episode, when the first batch without it is handed out, and each time
            an intact record that gives no example is replaced, with NothingToLearn.

    Raises:
        ExampleError: an example cannot be made, for a reason other than a damaged record.
        TooMuchDamage: more episodes are damaged than `config.damaged_limit`.
        LoaderError: a worker died or is stuck, or a batch does not fit into the memory.
    """

    def __init__(
        self,
        maker: BatchMaker,
        start: int,
        stop: int,
        config: LoaderConfig,
        on_damage: Callable[[ExampleError], None] | None = None,
    ) -> None:
        self._maker, self._config, self._on_damage = maker, config, on_damage
        self._start, self._step, self._stop = start, start, stop
        self._damaged = dict[tuple[str, int], ExampleError]()
        self._workers: list[_Worker | MakerThread] = []
        self._count(maker.damaged)
        count = min(config.workers or config.threads, max(0, stop - start))
        if config.workers and count:
            one_thread_each()
        size = config.memory_mb * _MEGABYTE // max(1, count) // ALIGNMENT * ALIGNMENT
        with ExitStack() as cleanup:  # a maker that cannot be pickled, or an interrupt: no worker must remain
            cleanup.callback(self.close)
            for number in range(count):
                steps = range(start + number, stop, count)
                if config.workers:
                    self._workers.append(_Worker(maker, steps, config, size))
                else:
                    self._workers.append(MakerThread(maker, steps, config.prefetch, size, config.timeout))
            cleanup.pop_all()

    @property
    def damaged(self) -> tuple[ExampleError, ...]:
        """The damaged episodes that were skipped so far, each once, as the error that named it first."""
        return tuple(self._damaged.values())

    @property
    def processes(self) -> tuple[int, ...]:
        """Process ids of the workers."""
        return tuple(worker.process.pid or 0 for worker in self._workers if isinstance(worker, _Worker))

    def __next__(self) -> Batch:
        """The next batch."""
        if self._step >= self._stop:
            self.close()
            raise StopIteration
        if self._config.workers or self._config.threads:
            if not self._workers:
                raise LoaderError("the loader is closed; make another one to go on")
            worker = self._workers[(self._step - self._start) % len(self._workers)]
            batch, damage = worker.receive(self._step)
        else:
            batch, damage = self._maker.make(self._step)
        self._count(damage)
        self._step += 1
        return batch

    def close(self) -> None:
        """Ends the workers; may be called again."""
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        """Ends the workers of a loader that was left in the middle."""
        if "_workers" in self.__dict__:
            self.close()

    def _count(self, damage: tuple[ExampleError, ...]) -> None:
        for error in damage:
            place = (error.dataset, error.episode)
            if not isinstance(error, NothingToLearn):
                if place in self._damaged:
                    continue
                self._damaged[place] = error
            if self._on_damage is not None:
                self._on_damage(error)
        if len(self._damaged) > self._config.damaged_limit:
            listed = "; ".join(str(error) for error in self.damaged[:_REPORTED])
            raise TooMuchDamage(
                f"{len(self._damaged)} episodes or records are damaged, but damaged_limit is "
                f"{self._config.damaged_limit}. Fetch the data again, or raise damaged_limit. The first ones: {listed}"
            )


class _Worker:
    """One worker process as the loader sees it."""

    def __init__(self, maker: BatchMaker, steps: range, config: LoaderConfig, size: int) -> None:
        self._timeout = config.timeout
        self._lent = 0  # bytes
        self._returned: deque[int] = deque()  # offsets of arrays that nobody uses any more
        self._sizes: dict[int, int] = {}  # of lent arrays, by offset
        self._block = SharedBlock(size)
        self._connection, theirs = _CONTEXT.Pipe()
        arguments = (dict(os.environ), theirs, self._block, maker, steps, config.prefetch)
        self.process: ForkServerProcess = _CONTEXT.Process(target=run_worker, args=arguments, daemon=True)
        start_worker(self.process)
        theirs.close()

    def receive(self, step: int) -> tuple[Batch, tuple[ExampleError, ...]]:
        """Batch number `step`, in the shared memory if much of it stays free, else as a copy."""
        ready = wait([self._connection, self.process.sentinel], self._timeout)
        if not ready:
            raise LoaderError(
                f"batch {step}: worker process {self.process.pid} gave no sign for {self._timeout:g} seconds. Check "
                "that its files can be read, or raise timeout"
            )
        message = _receive(self._connection)
        if message is None:
            self.process.join(5.0)
            raise LoaderError(
                f"batch {step}: worker process {self.process.pid} died with exit code {self.process.exitcode}. "
                "-9 mostly means that memory ran out: use fewer workers or smaller batches"
            )
        if isinstance(message, Failure):
            if message.error is None:
                raise LoaderError(f"batch {step}: a worker process failed:\n{message.trace}")
            raise message.error from LoaderError(f"in a worker process:\n{message.trace}")
        return self._unpacked(message), message.damage

    def end(self) -> None:
        """Ends the process; it holds nothing that must be written."""
        self._connection.close()
        self.process.kill()
        self.process.join()
        self.process.close()
        self._block.close()

    def _unpacked(self, made: Made) -> Batch:
        """The tensors of a batch; tells the worker which memory is free again."""
        free = [self._returned.popleft() for _ in range(len(self._returned))]
        self._lent -= sum(self._sizes.pop(offset) for offset in free)
        arrays: dict[str, npt.NDArray[Any]] = dict(made.loose)
        for name, layout in made.layouts.items():
            size = np.dtype(layout.dtype).itemsize * math.prod(layout.shape)
            if self._lent + size <= self._block.size // 2:
                self._lent += size
                self._sizes[layout.offset] = size
                arrays[name] = self._block.lend(layout, self._returned.append)
            else:  # the trainer keeps many batches: the worker needs the other half
                arrays[name] = np.array(self._block.view(layout))
                free.append(layout.offset)
        with suppress(
            BrokenPipeError, ConnectionResetError
        ):  # it may have died since, which its next batch will reveal
            self._connection.send(free)
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _receive(connection: Connection) -> Made | Failure | None:
    """The next message, or None if the other end is gone."""
    try:
        if not connection.poll(0.0):
            return None  # only the end of the process was announced
        message: Made | Failure = connection.recv()
    except (EOFError, ConnectionResetError):
        return None
    return message


def one_thread_each() -> None:
    """Limits the libraries that workers will load to one thread; those of this process are loaded already."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

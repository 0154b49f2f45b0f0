"""MakerThread: makes batches ahead of time in a thread of this process, for work that releases Python's lock."""

from __future__ import annotations

import copy
import math
import queue
import threading
from collections import deque
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import ExampleError, LoaderError
from embodio.datasets.stream.shared_memory import ALIGNMENT, Allocator, ArrayPlace, SharedBlock
from embodio.model.network.batch import Batch

if TYPE_CHECKING:
    from embodio.datasets.stream.loader import BatchMaker

_Made = tuple[Batch, tuple[ExampleError, ...]]
_JOIN_SECONDS = 0.05
_END_SECONDS = 5.0


class MakerThread:
    """Makes batches with a copy of the maker, so that nothing is shared with other threads.

    Args:
        maker: makes the batches.
        steps: their numbers.
        prefetch: batches that may wait to be fetched.
        size: bytes of the memory for batches; what does not fit goes into new memory.
        timeout: seconds after which a due batch counts as stuck.
    """

    def __init__(self, maker: BatchMaker, steps: range, prefetch: int, size: int, timeout: float) -> None:
        self._maker = copy.deepcopy(maker)
        self._timeout = timeout
        self._block, self._allocator = SharedBlock(size), Allocator(size)
        self._returned: deque[int] = deque()  # offsets of arrays that nobody uses any more
        self._ready: queue.Queue[_Made | BaseException] = queue.Queue(prefetch)
        self._ending = False
        self._thread = threading.Thread(target=self._run, args=(steps,), daemon=True)
        self._thread.start()

    def receive(self, step: int) -> _Made:
        """Batch number `step`, the next one; raises the error of making it."""
        try:
            made = self._ready.get(timeout=self._timeout)
        except queue.Empty as error:
            raise LoaderError(
                f"batch {step}: a thread gave no sign for {self._timeout:g} seconds. Check that its files can be read, "
                "or raise timeout"
            ) from error
        if isinstance(made, BaseException):
            raise made
        return made

    def end(self) -> None:
        """Ends the thread after the batch that it is making; one that is stuck is left to itself."""
        self._ending = True
        waited = 0.0
        while self._thread.is_alive() and waited < _END_SECONDS:
            while not self._ready.empty():  # makes space for what it is about to put there
                self._ready.get_nowait()
            self._thread.join(_JOIN_SECONDS)
            waited += _JOIN_SECONDS
        self._block.close()

    def _run(self, steps: range) -> None:
        with ExitStack() as reporting:
            reporting.push(self._report)
            for step in steps:
                if self._ending:
                    return
                self._ready.put(self._maker.make(step, self._allocate))

    def _report(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Tells the error that ended the thread to the caller that waits for the batch."""
        if error is not None:
            self._ready.put(error)
        return True

    def _allocate(self, shape: tuple[int, ...], dtype: Any) -> npt.NDArray[Any]:
        """An array in memory that is reused once nothing refers to it."""
        while self._returned:
            self._allocator.release(self._returned.popleft())
        dtype = np.dtype(dtype)
        size = dtype.itemsize * math.prod(shape)
        offset = self._allocator.reserve(size) if 0 < size <= self._block.size - ALIGNMENT else None
        if offset is None:
            return np.empty(shape, dtype)
        return self._block.lend(ArrayPlace(dtype.str, shape, offset), self._returned.append)

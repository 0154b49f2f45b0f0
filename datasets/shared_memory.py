"""A block of memory that two processes share, and a ring of room in it; no file is left behind, however they end."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import reduction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import LoaderError

ALIGNMENT = 64
_MEMORY_FOLDER = Path("/dev/shm")


@dataclass(frozen=True)
class Layout:
    """Where one array lies in a block: dtype, shape, and offset in bytes."""

    dtype: str
    shape: tuple[int, ...]
    offset: int


class SharedBlock:
    """Memory of a file without a name; it may be given to a process while that is started by `spawn`.

    Pages take up memory when they are first written.

    Args:
        size: in bytes.
        descriptor: of the open file; None makes a new one.
    """

    def __init__(self, size: int, descriptor: int | None = None) -> None:
        if descriptor is None:
            folder = _MEMORY_FOLDER if os.access(_MEMORY_FOLDER, os.W_OK) else None
            with tempfile.TemporaryFile(dir=folder) as file:
                descriptor = os.dup(file.fileno())
            os.ftruncate(descriptor, size)
        self.size = size
        self._descriptor = descriptor
        self._memory = mmap.mmap(descriptor, size)

    def view(self, layout: Layout) -> npt.NDArray[Any]:
        """The array at its place, without a copy."""
        return np.ndarray(layout.shape, layout.dtype, self._memory, layout.offset)

    def close(self) -> None:
        """Gives the memory back; no view may be in use."""
        self._memory.close()
        os.close(self._descriptor)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travels as a descriptor, to a process that is just being started."""
        return _attach, (self.size, reduction.DupFd(self._descriptor))  # type: ignore[no-untyped-call]


def _attach(size: int, descriptor: Any) -> SharedBlock:
    return SharedBlock(size, descriptor.detach())


class Ring:
    """Room for batches in a block, given out and taken back in the same order.

    Args:
        size: of the block, in bytes.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken: deque[tuple[int, int]] = deque()  # start and end of each batch, oldest first

    def __len__(self) -> int:
        """Batches that are not taken back yet."""
        return len(self._taken)

    def reserve(self, size: int) -> int | None:
        """Where `size` bytes in one piece are free, or None if they are not free now.

        Raises:
            LoaderError: they would not fit into the empty block.
        """
        if size > self._size:
            raise LoaderError(
                f"a batch of {size / 2**20:.0f} MB does not fit into a worker's {self._size / 2**20:.0f} MB of shared "
                "memory. Raise memory_mb, or use smaller batches or fewer workers"
            )
        start = self._place(size)
        if start is not None:
            self._taken.append((start, start + size))
        return start

    def release(self) -> None:
        """Takes back the room of the oldest batch."""
        self._taken.popleft()

    def _place(self, size: int) -> int | None:
        if not self._taken:
            return 0
        first, last = self._taken[0][0], self._taken[-1][1]
        if last > first:  # free at both ends
            if last + size <= self._size:
                return last
            return 0 if size < first else None
        return last if last + size < first else None  # free in the middle


def arrange(arrays: Mapping[str, npt.NDArray[Any]], start: int) -> tuple[dict[str, Layout], int]:
    """Lays arrays out one after the other from `start` on; returns their layouts and the end, both aligned."""
    layouts, offset = {}, start
    for name, array in arrays.items():
        layouts[name] = Layout(array.dtype.str, array.shape, offset)
        offset += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
    return layouts, offset

"""Shared memory of two processes and its allocator; it leaves no file behind, however they end."""

from __future__ import annotations

import math
import mmap
import os
import tempfile
import weakref
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import reduction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import LoaderError

ALIGNMENT = 64
SHIFT = 16
"""Arrays begin this far after a multiple of the alignment. Where rows of pixels begin at a multiple of 32 bytes,
libjpeg-turbo writes them past the caches, and decoding takes an eighth longer."""

_MEMORY_FOLDER = Path("/dev/shm")


@dataclass(frozen=True)
class ArrayPlace:
    """Where one array lies in a block: dtype, shape, and offset in bytes."""

    dtype: str
    shape: tuple[int, ...]
    offset: int


class SharedBlock:
    """Memory of a file without a name; it may be given to a process while that is started.

    Pages take up memory when they are first written.

    Args:
        size: size in bytes.
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
        self._memory: mmap.mmap | None = mmap.mmap(descriptor, size)

    def view(self, layout: ArrayPlace) -> npt.NDArray[Any]:
        """The array at its place, without a copy."""
        return self.lend(layout, None)

    def lend(self, layout: ArrayPlace, back: Callable[[int], object] | None) -> npt.NDArray[Any]:
        """The array at its place, without a copy.

        Args:
            layout: place of the array.
            back: called with the offset when neither the array nor anything made of its memory is left.
        """
        shape, dtype = layout.shape, np.dtype(layout.dtype)
        size = dtype.itemsize * math.prod(shape)
        owner: npt.NDArray[np.uint8] = np.ndarray(
            size, np.uint8, self._memory, layout.offset
        )  # whatever is made of it keeps it alive
        if back is not None:
            weakref.finalize(owner, back, layout.offset).atexit = False
        return owner.view(dtype).reshape(shape)

    def close(self) -> None:
        """Releases the memory once no view is in use any more."""
        if self._memory is not None:
            self._memory = None
            os.close(self._descriptor)

    def __reduce__(self) -> tuple[Any, ...]:
        """Travels as a descriptor, to a process that is being started."""
        return _attach, (self.size, reduction.DupFd(self._descriptor))  # type: ignore[no-untyped-call]


def _attach(size: int, descriptor: Any) -> SharedBlock:
    return SharedBlock(size, descriptor.detach())


class Allocator:
    """First-fit allocator of a block, which keeps the touched memory small.

    Args:
        size: of the block, in bytes.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken: list[tuple[int, int]] = []  # start and end, in order

    def __len__(self) -> int:
        """Number of allocated parts."""
        return len(self._taken)

    def reserve(self, size: int) -> int | None:
        """The offset of `size` free contiguous bytes, or None if they are not free now.

        Raises:
            LoaderError: they would not fit into the empty block.
        """
        size = -(-size // ALIGNMENT) * ALIGNMENT
        if SHIFT + size > self._size:
            raise LoaderError(
                f"a batch of {size / 2**20:.0f} MB does not fit into a worker's {self._size / 2**20:.0f} MB of shared "
                "memory. Raise memory_mb, or use smaller batches or fewer workers"
            )
        start = SHIFT
        for place, (first, end) in enumerate(self._taken):
            if start + size <= first:
                self._taken.insert(place, (start, start + size))
                return start
            start = end
        if start + size > self._size:
            return None
        self._taken.append((start, start + size))
        return start

    def release(self, start: int) -> None:
        """Frees the part that begins at `start`."""
        del self._taken[bisect_left(self._taken, (start, 0))]

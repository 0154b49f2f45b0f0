"""Tensor memory: allocates large tensors outside the heap, and keeps freed memory for reuse."""

from __future__ import annotations

import contextlib
import ctypes
import math
import mmap
from collections.abc import Sequence

import torch
from torch import Tensor

MAPPED_BYTES = 1 << 16
"""Smaller tensors stay in the heap."""

KEPT_BYTES = 64 << 20
"""Largest amount of memory that `keep_freed_memory` keeps."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of settings in glibc's malloc.h


def allocate(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """An uninitialised tensor on the CPU.

    On the heap, the pieces of fused tensors would leave holes: a quarter more memory at size large. Huge pages save
    most address look-ups, which makes reading weights up to a quarter faster.
    """
    size = math.prod(shape) * dtype.itemsize
    if size < MAPPED_BYTES:
        return torch.empty(tuple(shape), dtype=dtype)
    mapped = mmap.mmap(-1, size)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without huge pages
            mapped.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(mapped, dtype=dtype).view(tuple(shape))


def keep_freed_memory() -> None:
    """Makes glibc keep freed memory, which would otherwise be returned and mapped again page by page.

    This overrides glibc's environment settings (MALLOC_...), and does nothing with other C libraries.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)

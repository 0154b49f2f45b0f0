"""Where the memory of tensors comes from: large ones outside the heap, and what is freed kept for the next."""

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
"""What `keep_freed_memory` keeps at most."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of settings in glibc's malloc.h


def room(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """A tensor on the CPU whose content is arbitrary.

    From the heap, the pieces of fused tensors would leave holes: a quarter more memory at size large. Huge pages spare
    the processor most look-ups of addresses, which makes reading weights up to a quarter faster.
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
    """Has glibc keep what this process frees: memory that it gives back is made again, page by page, for the next use.

    Settings of glibc in the environment (MALLOC_...) count no more; with another library for C nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)

"""Room for large tensors outside the heap: given back as soon as they are freed, in huge pages where there are any."""

from __future__ import annotations

import contextlib
import math
import mmap
from collections.abc import Sequence

import torch
from torch import Tensor

MAPPED_BYTES = 1 << 16
"""Smaller tensors stay in the heap."""


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

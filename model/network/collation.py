"""Features of several examples -> one Batch of torch tensors: stacked, padded with zeros, needless masks left out."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch

from embodio.model.errors import ModelError
from embodio.model.processing.processor import Features

Batch = dict[str, torch.Tensor]
"""Stacked features; every tensor has the batch as its first dimension."""

_Array = npt.NDArray[np.generic]
Allocate = Callable[[tuple[int, ...], np.dtype[np.generic]], _Array]
"""Gives an array of a shape and dtype; what is in it does not matter."""


class CollateError(ModelError, ValueError):
    """Features that do not make one batch."""


def collate(
    features: Sequence[Features],
    drop_full_masks: bool = True,
    lengths: Mapping[str, int] | None = None,
    allocate: Allocate = np.empty,
) -> Batch:
    """Stacks features into a batch.

    The first dimension of every array is padded with zeros to the longest, or to `lengths`. A part that only some of
    the examples have is zero and masked in the others.

    Args:
        features: one or more results of a Processor.
        drop_full_masks: leave out what the network takes absent ones for, as it is faster without: masks that are 1
            everywhere, positions that count 0, 1, 2, ... and segment ids that are all 1 (masked entries do not matter),
            loss masks equal to the mask, and task masks that are 0 everywhere.
        lengths: length to pad to for some parts, for example {"inputs/text": 64}; fixed lengths give fixed shapes.
        allocate: gives the memory of the tensors.

    Returns:
        The batch, on the CPU.

    Raises:
        CollateError: nothing to stack, an array longer than its length in `lengths`, or arrays of one name whose shapes
            differ beyond the first dimension.
    """
    if not features:
        raise CollateError("features: there is nothing to collate; give at least one example")
    keys = dict.fromkeys(key for item in features for key in item)
    arrays = {key: _stack(key, [item.get(key) for item in features], _length(key, lengths), allocate) for key in keys}
    if drop_full_masks:
        arrays = {key: array for key, array in arrays.items() if not _is_needless(key, arrays)}
    return {key: torch.from_numpy(array) for key, array in arrays.items()}


def _length(key: str, lengths: Mapping[str, int] | None) -> int | None:
    return lengths.get(key.rpartition("/")[0]) if lengths else None


def _stack(key: str, arrays: Sequence[_Array | None], length: int | None, allocate: Allocate) -> _Array:
    """Stacks arrays [L, ...] to [B, longest L, ...], or single numbers to [B]; absent ones become zeros."""
    present = [array for array in arrays if array is not None]
    first = present[0]
    shapes = {array.shape for array in present}
    if len({shape[1:] for shape in shapes}) > 1 or len({len(shape) for shape in shapes}) > 1:
        raise CollateError(f"{key}: the examples have different shapes {sorted(shapes)}")
    longest = max((shape[0] for shape in shapes if shape), default=0)
    if length is not None and longest > length:
        raise CollateError(f"{key}: {longest} entries do not fit the fixed length {length}; raise it in `lengths`")
    size = (length or longest, *first.shape[1:]) if first.shape else ()
    out = allocate((len(arrays), *size), first.dtype)
    if len(present) == len(arrays) and shapes == {size}:
        return np.stack(present, out=out)
    out[...] = 0
    for row, array in enumerate(arrays):
        if array is not None:
            out[(row, slice(len(array))) if size else row] = array
    return out


def _is_needless(key: str, arrays: Mapping[str, _Array]) -> bool:
    """Says whether an array holds what its absence means: all valid, positions in order, one segment, none hidden."""
    part, _, name = key.rpartition("/")
    array = arrays[key]
    if name == "mask":
        return bool((array == 1).all())
    if name == "loss_mask":
        return f"{part}/mask" in arrays and np.array_equal(array, arrays[f"{part}/mask"])
    if name == "task_mask":
        return not array.any()
    if name not in ("pos_ids", "segment_ids") or f"{part}/mask" not in arrays:
        return False
    plain = np.arange(array.shape[-1]) if name == "pos_ids" else 1
    return bool(((array == plain) | (arrays[f"{part}/mask"] == 0)).all())

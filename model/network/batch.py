"""Batches: stacks features of several examples into tensors, and validates them for a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from embodio.model.config.model import ModelConfig
from embodio.model.config.parts import IMAGE_CHANNELS
from embodio.model.errors import BatchError, ModelError
from embodio.model.processing.processor import Features

Batch = Mapping[str, Tensor]
"""Features of several examples: flat keys like "inputs/text/tokens", one tensor each with the batch axis first."""

POSITIONS = "stream/positions"
"""The key of the place of each example in the training stream, int64 [B]; networks ignore it."""


def positions_of(batches: Sequence[Batch]) -> tuple[int, ...]:
    """The places in the training stream of the examples of several batches; empty where one of them does not say."""
    if not all(POSITIONS in batch for batch in batches):
        return ()
    return tuple(position for batch in batches for position in batch[POSITIONS].tolist())


_Array = npt.NDArray[np.generic]
Allocate = Callable[[tuple[int, ...], np.dtype[np.generic]], _Array]
"""Returns an uninitialised array of a shape and dtype."""


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
    """Whether an array equals its default: all valid, positions in order, one segment, none hidden."""
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


Fields = Mapping[str, Tensor]


def check_rows(batch: Mapping[str, Tensor]) -> None:
    """Raises BatchError where an entry is not a tensor, or entries have different numbers of rows."""
    first, rows = "", 0
    for key, value in batch.items():
        if not isinstance(value, Tensor) or not value.dim():
            raise BatchError(f"{key} must be a tensor with a row for each example, found {type(value).__name__}")
        if first and value.shape[0] != rows:
            raise BatchError(f"{key} has {value.shape[0]} rows but {first} has {rows}; give as many everywhere")
        first, rows = first or key, value.shape[0]


def check_input(modality: str, fields: Fields, config: ModelConfig) -> None:
    """Raises BatchError where the fields of an input do not fit each other or the model."""
    where = f"inputs/{modality}"
    if modality == "text":
        tokens = fields.get("tokens")
        _check_ids(tokens, config.transformer.vocab_size, f"{where}/tokens")
        _check_shapes(fields, tokens, where, "tokens")
        _check_ids(fields.get("pos_ids"), config.lengths.encoder_text, f"{where}/pos_ids")
        return
    rows, columns = config.patch_grids[modality]
    content = fields.get("input")
    if content is not None and content.dim() > 2:
        kind = modality.split("_")[0]
        patch = config.image_patch_size**2 * IMAGE_CHANNELS if kind == "image" else config.audio_patch_size**2
        if content.shape[-1] != patch:
            raise BatchError(
                f"{where}/input has patches of {content.shape[-1]} numbers; the model's have {patch}, see "
                f"config.{kind}_patch_size"
            )
        _check_shapes(fields, content[..., 0], where, "input")
    _check_ids(fields.get("pos_ids"), rows * columns, f"{where}/pos_ids")


def check_target(modality: str, fields: Fields, config: ModelConfig) -> None:
    """Raises BatchError where the fields of a target do not fit each other or the model."""
    where = f"targets/{modality}"
    if modality == "text":
        ids, size = fields.get("targets"), config.transformer.vocab_size
        _check_ids(ids, size, f"{where}/targets")
        _check_ids(fields.get("inputs"), size, f"{where}/inputs")
        _check_ids(fields.get("pos_ids"), config.lengths.decoder_text, f"{where}/pos_ids")
        _check_shapes(fields, ids, where, "targets")
        return
    tokens = fields.get("tokens")
    _check_ids(tokens, getattr(config, f"{modality}_vocab_size"), f"{where}/tokens")
    tokenizer = getattr(config, f"{modality}_tokenizer")
    raw = fields.get(modality)
    if tokens is None and raw is not None:
        tokens = raw.new_empty(raw.shape[0], tokenizer.grid[0] * tokenizer.grid[1], device="meta")
    _check_shapes({name: value for name, value in fields.items() if name != modality}, tokens, where, "codes")


def _check_shapes(fields: Fields, content: Tensor | None, where: str, name: str) -> None:
    """Checks that all fields but "input" have the shape of the content, one value for each item."""
    for field, value in fields.items():
        if content is not None and field != "input" and value.shape != content.shape:
            raise BatchError(
                f"{where}/{field} has shape {tuple(value.shape)}; it has one value for each of the {name}, which "
                f"needs {tuple(content.shape)}"
            )


def _check_ids(ids: Tensor | None, size: int, where: str) -> None:
    """Integers from 0 to below `size`."""
    if ids is None:
        return
    if ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool:
        raise BatchError(f"{where} is {ids.dtype}; ids are integers")
    if ids.device.type != "cpu" or not ids.numel():
        return
    low, high = (int(value) for value in ids.aminmax())
    if low < 0 or high >= size:
        raise BatchError(f"{where} has ids from {low} to {high}; the model knows 0 to {size - 1}")

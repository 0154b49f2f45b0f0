"""What a batch must be before the network reads it: fields of one shape, ids that exist, one number of rows for all.

Values are looked at only on the CPU; elsewhere that would wait for the device.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from embodio.model.config.model import ModelConfig
from embodio.model.config.parts import IMAGE_CHANNELS
from embodio.model.errors import BatchError

Fields = Mapping[str, Tensor]


def check_rows(batch: Mapping[str, Tensor]) -> None:
    """Raises BatchError where an entry is no tensor, or entries have different numbers of rows."""
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
    rows, columns = config.patch_grid(modality)
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
    """All fields but the content itself, which is of any shape that it likes, say one thing of each of its items."""
    for field, value in fields.items():
        if content is not None and field != "input" and value.shape != content.shape:
            raise BatchError(
                f"{where}/{field} has shape {tuple(value.shape)}; it says something of each of the {name}, which "
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

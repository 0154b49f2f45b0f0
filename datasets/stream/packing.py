"""Packed rows of a batch: examples that share a row of the transformer, chosen by best fit of their lengths.

A batch is packed by itself: no example waits for one of another batch, so batch number `step` stays a function of
(seed, step), whatever the number of workers and ranks, and nothing has to be kept for resuming. The more examples a
batch has, the less padding is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from embodio.datasets.errors import DatasetError
from embodio.model.config.model import ModelConfig
from embodio.model.network.batch import Batch
from embodio.model.network.packing import ROWS

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Capacity:
    """How much a packed row holds; the paper packs pairs into 864 and 1280 in pre-training (appendix B.4).

    Attributes:
        encoder: tokens of inputs.
        decoder: tokens of targets.
        examples: most examples of a row; None for any number, 2 for pairs.
    """

    encoder: int
    decoder: int
    examples: int | None = None

    def __post_init__(self) -> None:
        """Checks the numbers; raises DatasetError."""
        for name in ("encoder", "decoder", "examples"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise DatasetError(f"packing.{name}: got {value}, expected at least 1")


def best_fit(encoder: npt.ArrayLike, decoder: npt.ArrayLike, capacity: Capacity) -> Ints:
    """The packed row of each example: the largest first, each into the fullest row that it fits into.

    Sizes are shares of the capacity, the larger of both sides counting. With a row of 10 and 10 tokens and examples of
    (6, 1), (5, 5), (4, 2) and (3, 3) tokens, the rows are 0, 1, 1 and 0.

    Args:
        encoder: int [N], tokens of the inputs of each example.
        decoder: int [N], tokens of their targets.
        capacity: of a row.

    Returns:
        int64 [N], rows numbered from 0 in the order of their first example.

    Raises:
        DatasetError: an example is larger than a row.
    """
    lengths = np.stack([np.asarray(encoder, dtype=np.int64), np.asarray(decoder, dtype=np.int64)], axis=1)
    limits = np.array([capacity.encoder, capacity.decoder])
    if (lengths > limits).any():
        worst = int((lengths / limits).max(axis=1).argmax())
        raise DatasetError(
            f"packing: an example of {lengths[worst, 0]} and {lengths[worst, 1]} tokens does not fit a row of "
            f"{capacity.encoder} and {capacity.decoder}; raise packing.encoder or packing.decoder"
        )
    most = capacity.examples or len(lengths)
    free, held = np.empty((0, 2), dtype=np.int64), np.empty(0, dtype=np.int64)
    found = np.zeros(len(lengths), dtype=np.int64)
    for example in np.argsort(-(lengths / limits).max(axis=1), kind="stable"):
        fits = np.flatnonzero((free >= lengths[example]).all(axis=1) & (held < most))
        if len(fits):
            row = fits[((free[fits] - lengths[example]) / limits).sum(axis=1).argmin()]
        else:
            row = len(free)
            free, held = np.vstack([free, limits]), np.append(held, 0)
        free[row] -= lengths[example]
        held[row] += 1
        found[example] = row
    _, first = np.unique(found, return_index=True)
    return np.argsort(np.argsort(first))[found]


def token_counts(batch: Mapping[str, Tensor], config: ModelConfig) -> tuple[Ints, Ints]:
    """Valid tokens of inputs and of targets of each example of a batch, int64 [B] each."""
    size = len(next(iter(batch.values())))
    encoder, decoder = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    for modality in config.input_modalities:
        content = batch.get(f"inputs/{modality}/{'tokens' if modality == 'text' else 'input'}")
        if content is None:
            continue
        mask = batch.get(f"inputs/{modality}/mask")
        shape = content.shape if modality == "text" else content.shape[:-1]
        valid = np.ones(shape, dtype=bool) if mask is None else mask.numpy().astype(bool)
        if modality.endswith("_history"):
            resampler = getattr(config, modality)
            encoder += valid.any(axis=-1).sum(axis=-1) * resampler.num_latents
        else:
            encoder += valid.sum(axis=-1)
    for modality in config.target_modalities:
        fields = {
            key.rpartition("/")[2]: value for key, value in batch.items() if key.startswith(f"targets/{modality}/")
        }
        if fields:
            decoder += _target_lengths(modality, fields, config)
    return encoder, decoder


def _target_lengths(modality: str, fields: Mapping[str, Tensor], config: ModelConfig) -> Ints:
    if "mask" in fields:
        return fields["mask"].numpy().astype(bool).sum(axis=-1)
    tokens = fields.get("targets" if modality == "text" else "tokens")
    if tokens is not None:
        return np.full(len(tokens), tokens.shape[1], dtype=np.int64)
    rows, columns = getattr(config, f"{modality}_tokenizer").grid
    return np.full(len(fields[modality]), rows * columns, dtype=np.int64)


def packed(batch: Batch, config: ModelConfig, capacity: Capacity) -> Batch:
    """The batch with "packing/rows", by which `UnifiedIO2.forward` packs it.

    Raises:
        DatasetError: an example is larger than a row.
    """
    return {**batch, ROWS: torch.from_numpy(best_fit(*token_counts(batch, config), capacity))}

"""The sizes of the examples of a batch: valid tokens and patches, what is padding, and what they cost the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.stream.packing import row_positions
from embodio.model.config.model import ModelConfig
from embodio.model.network.batch import Batch
from embodio.model.network.counters import ExampleSize, network_cost
from embodio.model.network.packing import ROWS

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class BatchSize:
    """What a batch holds.

    Attributes:
        examples: size of each example.
        tokens: tokens that count: those that the encoder reads and the decoder is trained on, of all examples.
        places: places for tokens in the rows of encoder and decoder, padding included.
    """

    examples: tuple[ExampleSize, ...]
    tokens: int
    places: int

    def flops(self, config: ModelConfig) -> int:
        """Floating-point operations of a training step over the examples: nothing computed twice, no padding."""
        return sum(_flops(config, one) for one in self.examples)


def batch_size(batch: Batch, config: ModelConfig) -> BatchSize:
    """The size of a batch on the CPU."""
    examples = example_sizes(batch, config)
    reads = np.array([one.encoder_tokens(config) for one in examples])
    writes = np.array([one.decoder_tokens for one in examples])
    tokens = int(reads.sum() + writes.sum())
    if ROWS in batch:
        places = row_positions(np.stack([reads, writes], axis=1), batch[ROWS].numpy().astype(np.int64))
    else:
        places = len(examples) * (_input_places(batch, config) + _target_places(batch, config))
    return BatchSize(examples, tokens, max(places, tokens))


def example_sizes(batch: Batch, config: ModelConfig) -> tuple[ExampleSize, ...]:
    """The valid tokens, patches and codes of each example."""
    rows = len(next(iter(batch.values())))
    columns: dict[str, Sequence[Any]] = {}
    for name in config.input_modalities:
        counts = _valid(batch, f"inputs/{name}", ("tokens", "input"))
        if counts is not None and name.endswith("_history"):
            columns[name] = [tuple(int(count) for count in frames if count) for frames in counts]
        elif counts is not None:
            columns[name] = counts.tolist()
    for name in config.target_modalities:
        counts = _valid(batch, f"targets/{name}", ("targets", "tokens"))
        if counts is None and f"targets/{name}/{name}" in batch:
            counts = np.full(rows, getattr(config.lengths, f"decoder_{name}"))
        if counts is not None:
            columns[f"{name}_target"] = counts.tolist()
    names = list(columns)
    return tuple(ExampleSize(**dict(zip(names, row, strict=True))) for row in zip(*columns.values(), strict=True))


def _valid(batch: Batch, prefix: str, contents: Sequence[str]) -> Ints | None:
    """Valid places of one part, [B], or [B, F] of a history; None if the batch does not have it."""
    for name in ("loss_mask", "mask"):
        if f"{prefix}/{name}" in batch:
            return (batch[f"{prefix}/{name}"].numpy() != 0).sum(axis=-1).astype(np.int64)
    for name in contents:
        if f"{prefix}/{name}" in batch:
            shape = batch[f"{prefix}/{name}"].shape
            shape = shape[:-1] if name == "input" else shape
            return np.full(shape[:-1], shape[-1], dtype=np.int64)
    return None


def _input_places(batch: Batch, config: ModelConfig) -> int:
    """Places of the encoder in one row."""
    places = 0
    for name in config.input_modalities:
        content = batch.get(f"inputs/{name}/tokens", batch.get(f"inputs/{name}/input"))
        if content is None:
            continue
        if name.endswith("_history"):
            places += content.shape[1] * getattr(config, name).num_latents
        else:
            places += content.shape[1]
    return places


def _target_places(batch: Batch, config: ModelConfig) -> int:
    """Places of the decoder in one row."""
    places = 0
    for name in config.target_modalities:
        content = batch.get(f"targets/{name}/targets", batch.get(f"targets/{name}/tokens"))
        if content is not None:
            places += content.shape[1]
        elif f"targets/{name}/{name}" in batch:
            places += getattr(config.lengths, f"decoder_{name}")
    return places


@lru_cache(maxsize=4096)
def _flops(config: ModelConfig, size: ExampleSize) -> int:
    return network_cost(config, size).training

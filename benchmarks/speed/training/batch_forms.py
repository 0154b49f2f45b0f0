"""The same examples as a batch in every way that is compared: packed, in pairs, padded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from embodio.benchmarks.speed.training.corpus_features import corpus_features
from embodio.benchmarks.speed.training.paper_lengths import paper_features
from embodio.datasets.stream.packing import Capacity, longest_example, packed, token_counts
from embodio.model.config.model import ModelConfig
from embodio.model.network.batch import Batch, collate
from embodio.model.network.packing import ROWS
from embodio.model.processing.processor import Features

Ints = npt.NDArray[np.int64]

_PAIRS = (864 / 1152, 1280 / 2048)
"""Capacity of a row of pairs as a share of the longest example (paper, appendix B.4)."""

POOL = 10
"""Examples that wait for a partner in the paper."""


@dataclass(frozen=True)
class Forms:
    """Batches of the same examples.

    Attributes:
        capacity: of packed rows, that of two of the longest examples.
        pair_capacity: of rows of pairs, smaller as in the paper, where the longest example here allows it.
        examples: number of examples.
        tokens: valid tokens of both sides.
        packed: any number of examples in a row.
        pairs: at most two examples in a row.
        streamed: pairs as the paper's pool makes them.
        longest: padded to the longest part of the batch.
        maximum: padded to the longest parts that the network takes, absent ones too.
    """

    capacity: Capacity
    pair_capacity: Capacity
    examples: int
    tokens: int
    packed: Batch
    pairs: Batch
    streamed: Batch
    longest: Batch
    maximum: Batch


def batch_forms(config: ModelConfig, examples: int, corpus: Path | None = None) -> Forms:
    """Batches of as many examples of a corpus; without one, of random examples as long as those of the paper."""
    generator = np.random.default_rng(0)
    if corpus is None:
        features = [paper_features(config, generator) for _ in range(examples)]
    else:
        features = corpus_features(config, corpus, examples)
    longest = collate(features)
    reads, writes = token_counts(longest, config)
    most = longest_example(config)
    rows = Capacity(2 * most[0], 2 * most[1])
    pair = Capacity(max(int(_PAIRS[0] * most[0]), *reads), max(int(_PAIRS[1] * most[1]), *writes), 2)
    pairs = packed(longest, config, pair)
    return Forms(
        capacity=rows,
        pair_capacity=pair,
        examples=examples,
        tokens=int(reads.sum() + writes.sum()),
        packed=packed(longest, config, rows),
        pairs=pairs,
        streamed={**pairs, ROWS: torch.from_numpy(streamed_pairs(reads, writes, pair))},
        longest=longest,
        maximum=_at_maximum(features, config),
    )


def _at_maximum(features: Sequence[Features], config: ModelConfig) -> Batch:
    """The batch at the lengths of the network; parts that no example has are left out."""
    text, frames = config.lengths, config.sampling.num_frames
    lengths = {"inputs/text": text.encoder_text, "targets/text": text.decoder_text}
    return collate(features, lengths={**lengths, "inputs/image_history": frames, "inputs/audio_history": frames})


def positions(batch: Batch, config: ModelConfig) -> int:
    """Positions of both sides of an unpacked batch, padding included."""
    found = 0
    for key, value in batch.items():
        side, part, name = key.split("/")
        if part.endswith("_history") and name == "input":
            found += value.shape[0] * value.shape[1] * getattr(config, part).num_latents
        elif name in (("tokens", "input") if side == "inputs" else ("targets", "tokens")):
            found += value.shape[0] * value.shape[1]
    return found


def streamed_pairs(encoder: Ints, decoder: Ints, capacity: Capacity) -> Ints:
    """The packed row of each example as the paper pairs them, one after the other from a pool (appendix B.3).

    A new example is paired with the largest in the pool that it fits with; otherwise it joins the pool; from a full
    pool the largest leaves alone, or the new one if it is larger. What is left at the end leaves alone.

    Args:
        encoder: int64 [N], tokens of the inputs of each example.
        decoder: int64 [N], tokens of their targets.
        capacity: of a row.

    Returns:
        int64 [N], rows numbered from 0 in the order in which they are complete.
    """
    sizes, pool, rows, count = encoder + decoder, list[int](), np.full(len(encoder), -1), 0
    for new in range(len(encoder)):
        fits = [
            old
            for old in pool
            if encoder[old] + encoder[new] <= capacity.encoder and decoder[old] + decoder[new] <= capacity.decoder
        ]
        if fits:
            leaving = [new, max(fits, key=lambda old: int(sizes[old]))]
        elif len(pool) < POOL:
            leaving = []
        else:
            leaving = [max([new, *pool], key=lambda old: int(sizes[old]))]
        pool = [one for one in [*pool, new] if one not in leaving]
        if leaving:
            rows[leaving] = count
            count += 1
    rows[pool] = np.arange(count, count + len(pool))
    return rows

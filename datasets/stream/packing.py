"""Packed rows of a batch: which examples share a row of the transformer, by best fit of their lengths.

**Blocks.** The positions of the stream come in blocks, by default the examples of one step (of one rank). A block is
packed by itself, from the lengths of its own examples: no example waits for one of another block. So batch number
`step` stays a function of (seed, step), whatever the number of workers and ranks; each example of the stream is in
exactly one batch; what is held is one block, whose examples are as many as the setting says and as large as the network
reads at most; nothing has to be kept for resuming; and the last batch needs no flushing.

**Rows follow from examples.** `batch_size` counts examples, packed or not: a step sees the same examples and has the
same loss and gradients either way. The paper counts rows instead, which fixes their number but makes the examples of a
step depend on all before it. Here the number of rows varies from step to step, with the sum of the lengths, by a few
per cent; there are never more than examples.

**Little padding.** Rows are first filled by best fit, which says how many are needed. The examples are then dealt to
that many rows, which all become about equally long on both sides, as rows are only as long as the longest.
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
from embodio.model.network.packing import INPUT_TOKENS, ROWS, TARGET_TOKENS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_POWER = 8
"""Rows are balanced so that the sum of this power of their loads is small, which the fullest ones decide."""

_EXCHANGES = 256
"""Exchanges between two rows, at most; most blocks need fewer than one for four examples."""


@dataclass(frozen=True)
class Capacity:
    """How much a packed row holds; the paper packs pairs into 864 and 1280 in pre-training (appendix B.4).

    Attributes:
        encoder: tokens of inputs.
        decoder: tokens of targets.
        examples: most examples of a row; None for any number, 2 for pairs.
        block: examples that are packed together, a divisor of those that a rank makes for a step; None for all of them.
            With a block, rows do not depend on the number of ranks.
    """

    encoder: int
    decoder: int
    examples: int | None = None
    block: int | None = None

    def __post_init__(self) -> None:
        """Checks the numbers; raises DatasetError."""
        for name in ("encoder", "decoder", "examples", "block"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise DatasetError(f"packing.{name}: got {value}, expected at least 1")

    def require_blocks(self, examples: int) -> None:
        """Raises DatasetError unless the examples are a whole number of blocks."""
        if self.block is not None and examples % self.block:
            raise DatasetError(
                f"packing.block: {examples} examples, which one rank makes for a step, do not make a whole number of "
                f"blocks of {self.block}; choose a divisor"
            )


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
    lengths, limits = _checked(encoder, decoder, capacity)
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
    return _renumbered(found)


def balanced(encoder: npt.ArrayLike, decoder: npt.ArrayLike, capacity: Capacity, rows: int) -> Ints | None:
    """The packed row of each example, such that rows are about equally full on both sides.

    The largest examples come first, each goes where it raises the fullest rows least; then the fullest row exchanges
    examples with others, or hands one over, as long as that helps. With three rows and examples of (6, 1), (5, 5),
    (4, 2), (3, 3) and (1, 6) tokens, they are 0, 1, 2, 2 and 0: rows of (7, 7), (5, 5) and (7, 5).

    Args:
        encoder: int [N], tokens of the inputs of each example.
        decoder: int [N], tokens of their targets.
        capacity: of a row.
        rows: how many there are.

    Returns:
        int64 [N], rows numbered from 0 in the order of their first example; None where some would not fit.

    Raises:
        DatasetError: an example is larger than a row.
    """
    lengths, limits = _checked(encoder, decoder, capacity)
    most = capacity.examples or len(lengths)
    means = np.maximum(1, lengths.sum(axis=0)) / rows
    sizes, limits = lengths / means, limits / means
    loads, held = np.zeros((rows, 2)), np.zeros(rows, dtype=np.int64)
    owner = np.zeros(len(lengths), dtype=np.int64)
    for example in np.argsort(-sizes.max(axis=1), kind="stable"):
        cost = _cost(loads + sizes[example]) - _cost(loads)
        cost[held >= most] = np.inf
        row = int(cost.argmin())
        owner[example] = row
        loads[row] += sizes[example]
        held[row] += 1
    owner = _exchanged(sizes, owner, loads, held, most)
    full = np.stack([np.bincount(owner, sizes[:, side], rows) for side in (0, 1)], axis=1)
    return _renumbered(owner) if (full <= limits + 1e-9).all() else None


def _exchanged(sizes: Floats, owner: Ints, loads: Floats, held: Ints, most: int) -> Ints:
    """The row of each example after exchanges between the fullest row and others; `loads` and `held` follow."""
    count, rows = len(sizes), len(loads)
    items = np.vstack([sizes, np.zeros((rows, 2))])  # an empty item of each row: to take it is to hand one over
    owner = np.concatenate([owner, np.arange(rows)])
    for _ in range(_EXCHANGES):
        fullest = int(loads.max(axis=1).argmax())
        mine, theirs = np.flatnonzero(owner[:count] == fullest), np.flatnonzero(owner != fullest)
        if held.max() >= most:
            theirs = theirs[(theirs < count) | (held[owner[theirs]] < most)]
        change = items[theirs][None] - items[mine][:, None]
        after = _cost(loads[fullest] + change) + _cost(loads[owner[theirs]][None] - change)
        gain = after - _cost(loads[fullest]) - _cost(loads[owner[theirs]])[None]
        if not gain.size or gain.min() > -1e-9:
            break
        one, other = np.unravel_index(int(gain.argmin()), gain.shape)
        row = owner[theirs[other]]
        loads[fullest] += change[one, other]
        loads[row] -= change[one, other]
        if theirs[other] >= count:
            owner[mine[one]] = row
            held[fullest], held[row] = held[fullest] - 1, held[row] + 1
        else:
            owner[mine[one]], owner[theirs[other]] = row, fullest
    return owner[:count]


def _cost(loads: Floats) -> Floats:
    powers: Floats = (loads**_POWER).sum(axis=-1)
    return powers


def _checked(encoder: npt.ArrayLike, decoder: npt.ArrayLike, capacity: Capacity) -> tuple[Ints, Ints]:
    """Lengths int64 [N, 2] and limits [2]; raises DatasetError where an example is larger than a row."""
    lengths = np.stack([np.asarray(encoder, dtype=np.int64), np.asarray(decoder, dtype=np.int64)], axis=1)
    limits = np.array([capacity.encoder, capacity.decoder])
    if (lengths > limits).any():
        worst = int((lengths / limits).max(axis=1).argmax())
        raise DatasetError(
            f"packing: an example of {lengths[worst, 0]} and {lengths[worst, 1]} tokens does not fit a row of "
            f"{capacity.encoder} and {capacity.decoder}; raise packing.encoder or packing.decoder"
        )
    return lengths, limits


def _renumbered(rows: Ints) -> Ints:
    """The same rows, numbered from 0 in the order of their first example."""
    _, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
    numbers: Ints = np.argsort(np.argsort(first))[inverse]
    return numbers


def packed_rows(encoder: npt.ArrayLike, decoder: npt.ArrayLike, capacity: Capacity) -> Ints:
    """The packed row of each example of a block: as few rows as best fit finds, balanced where that has less padding.

    Args:
        encoder: int [N], tokens of the inputs of each example.
        decoder: int [N], tokens of their targets.
        capacity: of a row.

    Returns:
        int64 [N], rows numbered from 0 in the order of their first example.

    Raises:
        DatasetError: an example is larger than a row.
    """
    found = best_fit(encoder, decoder, capacity)
    if not len(found):
        return found
    even = balanced(encoder, decoder, capacity, int(found.max()) + 1)
    lengths, _ = _checked(encoder, decoder, capacity)
    return found if even is None or row_positions(lengths, even) >= row_positions(lengths, found) else even


def row_positions(lengths: Ints, rows: Ints) -> int:
    """Positions of packed rows of examples int64 [N, 2] on both sides, padding included."""
    longest = sum(int(np.bincount(rows, weights=side).max()) for side in lengths.T)
    return longest * (int(rows.max()) + 1)


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


def longest_example(config: ModelConfig) -> tuple[int, int]:
    """The most tokens of inputs and of targets that an example has, one answer counting for text."""
    read, written = config.lengths.encoder_text, 0
    for modality, (rows, columns) in config.patch_grids.items():
        if modality in config.input_modalities:
            patches = min(rows * columns, getattr(config.sampling, f"{modality}_patches"))
            latents = getattr(getattr(config, modality, None), "num_latents", 0)
            read += config.sampling.num_frames * latents if modality.endswith("_history") else patches
    for modality in config.target_modalities:
        grid = (config.lengths.decoder_text, 1) if modality == "text" else getattr(config, f"{modality}_tokenizer").grid
        written += grid[0] * grid[1]
    return read, written


def _target_lengths(modality: str, fields: Mapping[str, Tensor], config: ModelConfig) -> Ints:
    if "mask" in fields:
        return fields["mask"].numpy().astype(bool).sum(axis=-1)
    tokens = fields.get("targets" if modality == "text" else "tokens")
    if tokens is not None:
        return np.full(len(tokens), tokens.shape[1], dtype=np.int64)
    rows, columns = getattr(config, f"{modality}_tokenizer").grid
    return np.full(len(fields[modality]), rows * columns, dtype=np.int64)


def padding(batch: Mapping[str, Tensor]) -> float:
    """The share of positions in the packed rows of a batch, of both sides, that hold no token."""
    rows, sizes = batch[ROWS].numpy(), [batch[key].numpy() for key in (INPUT_TOKENS, TARGET_TOKENS)]
    return 1.0 - float(sum(side.sum() for side in sizes)) / row_positions(np.stack(sizes, axis=1), rows)


def packed(batch: Batch, config: ModelConfig, capacity: Capacity) -> Batch:
    """The batch with "packing/rows", by which `UnifiedIO2.forward` packs it, and the lengths that a GPU needs.

    Args:
        batch: on the CPU; a whole number of blocks, but for the last one of held-out batches.
        config: of the network.
        capacity: of a row.

    Raises:
        DatasetError: an example is larger than a row.
    """
    reads, writes = token_counts(batch, config)
    block = capacity.block or len(reads)
    rows, first = np.empty_like(reads), 0
    for start in range(0, len(reads), block):
        own = slice(start, start + block)
        rows[own] = packed_rows(reads[own], writes[own], capacity) + first
        first = int(rows[own].max()) + 1
    arrays = {ROWS: rows, INPUT_TOKENS: reads, TARGET_TOKENS: writes}
    return {**batch, **{key: torch.from_numpy(array) for key, array in arrays.items()}}

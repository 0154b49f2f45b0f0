"""Dynamic packing on the device: the valid tokens of several examples share a row inside the transformer.

The encoders of images and sounds run on the batch as it is; their tokens are packed before the transformer, without the
padding, and unpacked after it (paper, section 3.4 and appendix B.3). An example sees its own tokens only, so that what
is computed of it is what is computed of it alone. Tokens are moved by their indices, which loses none and costs no
product.

    rows = [0, 0, 1]          examples 0 and 1 share packed row 0
    lengths 3, 2 and 4        row 0 holds  a a a b b,  row 1  c c c c .   (one token of padding)

Where attention runs example by example (`embodio.model.layers.packed_attention`), rows would only add padding: there
the examples lie in one flat row, those of one length side by side.

    flat                      b b a a a c c c c
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from embodio.model.errors import BatchError
from embodio.model.layers.packed_attention import Spans
from embodio.model.layers.sparse_masks import Placement
from embodio.model.layers.token_sequence import TokenSequence

ROWS = "packing/rows"
"""The key of the packed row of each example, int [B]."""

INPUT_TOKENS, TARGET_TOKENS = "packing/inputs", "packing/targets"
"""The keys of the valid tokens of each example, int [B]: known on the host, they need not be asked of a GPU."""

KEYS = (ROWS, INPUT_TOKENS, TARGET_TOKENS)

ALWAYS_ROWS: ContextVar[bool] = ContextVar("ALWAYS_ROWS", default=False)
"""Whether a CPU too computes rows with masks, as other devices do; several times slower, for comparisons."""

Ints = npt.NDArray[np.int64]


def on_device(batch: Mapping[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """The batch on a device, without waiting for it; what says how to pack stays on the host, where it is read."""
    return {key: value if key in KEYS else value.to(device, non_blocking=True) for key, value in batch.items()}


class PackedLayout(NamedTuple):
    """Where the examples of a batch lie when they are packed; known on the host.

    Attributes:
        starts: int64 [B], place of the first token of each example in the flattened rows.
        shape: rows and their length (R, P).
        full: whether there is no padding.
        spans: of a flat row; None for rows.
    """

    starts: Ints
    shape: tuple[int, int]
    full: bool
    spans: Spans | None = None

    @classmethod
    def in_rows(cls, lengths: Ints, rows: Ints) -> PackedLayout:
        """Rows of examples in their order; all as long as the longest.

        Args:
            lengths: int64 [B], tokens of each example.
            rows: int64 [B], the row of each example, from 0 on.
        """
        order = np.argsort(rows, kind="stable")
        totals = np.bincount(rows, weights=lengths).astype(np.int64)
        length = max(1, int(totals.max()))
        before = np.cumsum(lengths[order]) - lengths[order]
        starts = np.empty_like(lengths)
        starts[order] = before - (np.cumsum(totals) - totals)[rows[order]] + rows[order] * length
        return cls(starts, (len(totals), length), bool((totals == length).all()))

    @classmethod
    def flat(cls, lengths: Ints, order: Ints) -> PackedLayout:
        """One row without padding, of the examples in the given order [B]."""
        starts = np.empty_like(lengths)
        starts[order] = np.cumsum(lengths[order]) - lengths[order]
        return cls(starts, (1, int(lengths.sum())), True, Spans(tuple(lengths[order].tolist())))


@dataclass(frozen=True)
class Packing:
    """The position of each token of a sequence [B, L] in packed rows [R, P].

    Attributes:
        source: int64 [R, P], index into the B * L tokens; 0 in the padding.
        places: int64 [B, L], index into the R * P positions; R * P for masked tokens.
        mask: bool [R, P], False in the padding.
        full: whether there is no padding.
        spans: of the examples in a flat row.
    """

    source: Tensor
    places: Tensor
    mask: Tensor
    full: bool
    spans: Spans | None = None

    @classmethod
    def of(cls, tokens: TokenSequence, rows: Tensor) -> Packing:
        """The packing of a sequence into rows.

        Args:
            tokens: [B, L]; masked tokens are left out.
            rows: int64 [B], the packed row of each example, from 0 on. Examples of a row are laid out in their order.

        Raises:
            BatchError: a row number is negative.
        """
        numbers = _row_numbers(rows, tokens.embeddings.shape[0])
        return cls.laid_out(tokens, PackedLayout.in_rows(_lengths(tokens, None), numbers))

    @classmethod
    def laid_out(cls, tokens: TokenSequence, layout: PackedLayout) -> Packing:
        """The packing of a sequence [B, L], whose masked tokens are left out; waits for no device."""
        size, length = tokens.embeddings.shape[:2]
        device, (rows, width) = tokens.embeddings.device, layout.shape
        valid = tokens.full_mask()
        starts = torch.from_numpy(layout.starts).to(device, non_blocking=True)
        places = torch.where(valid, starts[:, None] + valid.cumsum(1) - 1, rows * width)
        source = torch.full((rows * width + 1,), -1, dtype=torch.int64, device=device)
        source.scatter_(0, places.flatten(), torch.arange(size * length, device=device))
        source = source[:-1].view(rows, width)
        return cls(source.clamp(min=0), places, source >= 0, layout.full, layout.spans)

    @property
    def padding(self) -> float:
        """The fraction of packed positions without a token."""
        return 1.0 - float(self.mask.float().mean())

    def pack(self, tokens: TokenSequence) -> TokenSequence:
        """The packed rows [R, P, D]; `examples` or `spans` say which example each token is of."""
        size, length = self.places.shape
        along = self.source % length
        rotary = tokens.rotary
        packed = rotary[0][along] if rotary.shape[0] == 1 else rotary.flatten(0, 1)[self.source]
        segments = None if tokens.segments is None else tokens.segments.flatten()[self.source]
        return TokenSequence(
            moved(tokens.embeddings.flatten(0, 1), self.source.flatten(), distinct=self.full).view(
                *self.source.shape, -1
            ),
            packed,
            None if self.full else self.mask,
            segments,
            self._placement(tokens.placement),
            torch.where(self.mask, self.source // length, size) if self.spans is None else None,
            self.spans,
        )

    def unpack(self, hidden: Tensor) -> Tensor:
        """Hidden states [R, P, D] back at the places of the sequence, [B, L, D]; zeros where there was no token."""
        flat = torch.cat([hidden.flatten(0, 1), hidden.new_zeros(1, hidden.shape[-1])])
        return flat[self.places]

    def _placement(self, placement: Placement | None) -> Placement | None:
        if placement is None:
            return None

        def at_source(values: Tensor) -> Tensor:
            return values.expand(self.places.shape).flatten()[self.source]

        visible = None if placement.visible is None else at_source(placement.visible)
        return Placement(at_source(placement.position), at_source(placement.width), visible, placement.sparse)


def packings(inputs: TokenSequence, targets: TokenSequence, batch: Mapping[str, Tensor]) -> tuple[Packing, Packing]:
    """The packings of both sides of a batch.

    Args:
        inputs: the encoder's tokens [B, L].
        targets: the decoder's tokens [B, L'].
        batch: with `ROWS`, and the numbers of tokens where a device would have to be asked.

    Raises:
        BatchError: a row number is negative, or an example has targets but no valid input to read.
    """
    rows = _row_numbers(batch[ROWS], inputs.embeddings.shape[0])
    reads, writes = _lengths(inputs, batch.get(INPUT_TOKENS)), _lengths(targets, batch.get(TARGET_TOKENS))
    mute = np.flatnonzero((reads == 0) & (writes > 0))
    if len(mute):
        raise BatchError(f"packing: example {mute[0]} of the batch has targets but no input; give it a prompt")
    if inputs.embeddings.device.type == "cpu" and not ALWAYS_ROWS.get():
        order = np.lexsort((reads, writes))
        layouts = PackedLayout.flat(reads, order), PackedLayout.flat(writes, order)
    else:
        layouts = PackedLayout.in_rows(reads, rows), PackedLayout.in_rows(writes, rows)
    return Packing.laid_out(inputs, layouts[0]), Packing.laid_out(targets, layouts[1])


def _row_numbers(rows: Tensor, size: int) -> Ints:
    numbers = rows.cpu().numpy().astype(np.int64)
    if numbers.shape != (size,) or numbers.min() < 0:
        raise BatchError(f"{ROWS} must be {size} row numbers from 0 on, one for each example")
    return numbers


def _lengths(tokens: TokenSequence, known: Tensor | None) -> Ints:
    """Valid tokens of each example, int64 [B]."""
    if known is None or tokens.embeddings.device.type == "cpu":
        known = tokens.full_mask().sum(dim=1)
    return known.cpu().numpy().astype(np.int64)


def moved(flat: Tensor, source: Tensor, *, distinct: bool = True) -> Tensor:
    """Rows [N, D] of flat [M, D] at `source` int64 [N]; `distinct` says that none is taken twice, as by padding."""
    return _Move.apply(flat, source, distinct)  # type: ignore[no-any-return, no-untyped-call]


class _Move(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, flat: Tensor, source: Tensor, distinct: bool) -> Tensor:
        ctx.save_for_backward(source)
        ctx.length, ctx.distinct = len(flat), distinct
        return flat.index_select(0, source)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (source,) = ctx.saved_tensors
        whole = grad.new_zeros(ctx.length, grad.shape[-1])
        fill = whole.index_copy_ if ctx.distinct else whole.index_add_
        return fill(0, source, grad), None, None

"""Dynamic packing on the device: the valid tokens of several examples share a row inside the transformer.

The encoders of images and sounds run on the batch as it is; their tokens are packed before the transformer, without the
padding, and unpacked after it (paper, section 3.4 and appendix B.3). An example sees its own tokens only, so that what
is computed of it is what is computed of it alone. Tokens are moved by their indices, which loses none and costs no
product.

    rows = [0, 0, 1]          examples 0 and 1 share packed row 0
    lengths 3, 2 and 4        row 0 holds  a a a b b,  row 1  c c c c .   (one token of padding)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from embodio.model.errors import BatchError
from embodio.model.layers.sparse_masks import Placement
from embodio.model.layers.token_sequence import TokenSequence


@dataclass(frozen=True)
class Packing:
    """The position of each token of a sequence [B, L] in packed rows [R, P].

    Attributes:
        source: int64 [R, P], index into the B * L tokens; 0 in the padding.
        mask: bool [R, P], False in the padding.
        batch: (B, L) of the sequence.
    """

    source: Tensor
    mask: Tensor
    batch: tuple[int, int]

    @classmethod
    def of(cls, tokens: TokenSequence, rows: Tensor) -> Packing:
        """The packing of a sequence.

        Args:
            tokens: [B, L]; masked tokens are left out.
            rows: int64 [B], the packed row of each example, from 0 on. Examples of a row are laid out in their order.

        Raises:
            BatchError: a row number is negative.
        """
        size, length = tokens.embeddings.shape[:2]
        if rows.shape != (size,) or int(rows.min()) < 0:
            raise BatchError(f"packing/rows must be {size} row numbers from 0 on, one for each example")
        rows = rows.to(tokens.embeddings.device)
        flat = torch.arange(size * length, device=rows.device)[tokens.full_mask().flatten()]
        token_rows = rows[flat // length]
        order = token_rows.argsort(stable=True)
        flat, token_rows = flat[order], token_rows[order]
        counts = torch.bincount(token_rows, minlength=int(rows.max()) + 1)
        place = torch.arange(len(flat), device=rows.device) - (counts.cumsum(0) - counts)[token_rows]
        shape = len(counts), max(1, int(counts.max()))
        source = flat.new_zeros(shape)
        mask = torch.zeros(shape, dtype=torch.bool, device=rows.device)
        source[token_rows, place] = flat
        mask[token_rows, place] = True
        return cls(source, mask, (size, length))

    @property
    def padding(self) -> float:
        """The fraction of packed positions without a token."""
        return 1.0 - float(self.mask.float().mean())

    def pack(self, tokens: TokenSequence) -> TokenSequence:
        """The packed rows [R, P, D]; `examples` says which example each token is of."""
        size, length = self.batch
        examples, along = self.source // length, self.source % length
        rotary = tokens.rotary
        packed = rotary[0][along] if rotary.shape[0] == 1 else rotary.flatten(0, 1)[self.source]
        segments = None if tokens.segments is None else tokens.segments.flatten()[self.source]
        return TokenSequence(
            tokens.embeddings.flatten(0, 1)[self.source],
            packed,
            None if bool(self.mask.all()) else self.mask,
            segments,
            self._placement(tokens.placement),
            torch.where(self.mask, examples, size),
        )

    def unpack(self, hidden: Tensor) -> Tensor:
        """Hidden states [R, P, D] back at the places of the sequence, [B, L, D]; zeros where there was no token."""
        size, length = self.batch
        flat = hidden.new_zeros(size * length, hidden.shape[-1])
        return flat.index_put((self.source[self.mask],), hidden[self.mask]).view(size, length, -1)

    def _placement(self, placement: Placement | None) -> Placement | None:
        if placement is None:
            return None
        size, length = self.batch

        def moved(values: Tensor) -> Tensor:
            return values.expand(size, length).flatten()[self.source]

        visible = None if placement.visible is None else moved(placement.visible)
        return Placement(moved(placement.position), moved(placement.width), visible, placement.sparse)

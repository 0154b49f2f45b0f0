"""Sparse and dynamic self-attention masks of image and audio targets, as described in the paper.

Sparse decoding (section 3.2): the tokens of a target form a grid, and in each decoder layer a token attends only to
some of the earlier tokens (`layer_pattern` gives the pattern of each layer):

* "row": the last grid row, that is the `width` tokens before it;
* "column": those in its own column;
* "convolution": those within 5 rows and 5 columns.

Dynamic masking (section 3.3): in denoising, a token hidden from the encoder must not reach the decoder as an input
either. The position where it is fed, which predicts the next token, attends only to itself, and no other position
attends to it. Text has no such mask: all of a text target was hidden from the encoder, and it is written one token
after another.

Masks are computed from two numbers per token, its position and the width of its grid, so they can be computed for any
part of a sequence, and only when needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Pattern = Literal["row", "column", "convolution"]

REACH = 5
"""Reach of the "convolution" pattern in rows and columns to each side: a kernel of 11."""


@dataclass(frozen=True)
class Placement:
    """The positions of a target's tokens, from which masks are computed.

    Attributes:
        position: int64 [B or 1, L], index of the token along its target.
        width: int64 [B or 1, L], columns of the token's grid; 0 where all earlier tokens may be seen, as in text.
        visible: bool [B, L], False where the fed token was hidden from the encoder; None when none was.
        sparse: whether any token is on a grid.
    """

    position: Tensor
    width: Tensor
    visible: Tensor | None = None
    sparse: bool = False

    @classmethod
    def of_grid(cls, length: int, width: int, device: torch.device, task_mask: Tensor | None = None) -> Placement:
        """The first `length` tokens of a target on a grid with `width` columns (0 for none).

        Args:
            length: tokens L.
            width: columns of the grid.
            device: where to put it.
            task_mask: [B, L], 1 where the target token was hidden from the encoder.
        """
        position = torch.arange(length, device=device).unsqueeze(0)
        visible = None if task_mask is None else fed_visible(task_mask)
        return cls(position, torch.full_like(position, width), visible, width > 0)

    def part(self, begin: int, end: int) -> Placement:
        """The tokens `begin` up to `end`."""
        visible = None if self.visible is None else self.visible[:, begin:end]
        return Placement(self.position[:, begin:end], self.width[:, begin:end], visible, self.sparse)

    def rows(self, rows: Tensor) -> Placement:
        """The placement of some rows int64 [B'] of a batch whose rows share their positions."""
        visible = None if self.visible is None else self.visible[rows]
        return Placement(self.position, self.width, visible, self.sparse)

    def repeat(self, copies: int) -> Placement:
        """Each row `copies` times, side by side; of a batch whose rows share their positions."""
        visible = None if self.visible is None else self.visible.repeat_interleave(copies, dim=0)
        return Placement(self.position, self.width, visible, self.sparse)


def fed_visible(task_mask: Tensor) -> Tensor:
    """Decoder inputs that were visible to the encoder: bool [B, L], from the hidden targets [B, L].

    The input at position j is the target at j - 1; the start id is always visible.
    """
    return functional.pad(~task_mask[:, :-1].bool(), (1, 0), value=True)


def join_placements(parts: Sequence[Placement | None], lengths: Sequence[int], batch: int) -> Placement | None:
    """Placements of targets one after the other; a part without one, such as text, is unrestricted."""
    present = [part for part in parts if part is not None]
    if not present:
        return None
    device = present[0].position.device
    filled = [
        Placement.of_grid(length, 0, device) if part is None else part
        for part, length in zip(parts, lengths, strict=True)
    ]
    rows = max(part.position.shape[0] for part in filled)
    visible = None
    if any(part.visible is not None for part in filled):
        ones = [torch.ones(batch, length, dtype=torch.bool, device=device) for length in lengths]
        kept = [one if part.visible is None else part.visible for part, one in zip(filled, ones, strict=True)]
        visible = torch.cat(kept, dim=1)
    return Placement(
        torch.cat([part.position.expand(rows, -1) for part in filled], dim=1),
        torch.cat([part.width.expand(rows, -1) for part in filled], dim=1),
        visible,
        any(part.sparse for part in filled),
    )


def layer_pattern(layer: int, num_layers: int) -> Pattern:
    """The pattern of decoder layer `layer`: the last one convolves, 1, 5, 9, ... see columns, the others rows."""
    if layer == num_layers - 1:
        return "convolution"
    return "column" if layer % 4 == 1 else "row"


def layer_masks(
    queries: Placement, keys: Placement, num_layers: int, allowed: Tensor | None = None
) -> list[Tensor | None]:
    """The mask of each decoder layer; layers of one pattern share one mask, and unused patterns are not computed.

    Args:
        queries: placement of the query tokens, Lq.
        keys: placement of the key tokens, Lk.
        num_layers: number of decoder layers.
        allowed: bool broadcastable to [B, 1, Lq, Lk], an upper bound of what is visible; None for everything.

    Returns:
        Per layer, bool broadcastable to [B, 1, Lq, Lk], or None for everything. A query always sees itself.
    """
    if queries.visible is not None and keys.visible is not None:
        both = queries.visible.unsqueeze(-1) & keys.visible.unsqueeze(-2)
        dynamic = (both | (queries.position.unsqueeze(-1) == keys.position.unsqueeze(-2))).unsqueeze(1)
        allowed = dynamic if allowed is None else allowed & dynamic
    if not queries.sparse:
        return [allowed] * num_layers
    patterns = [layer_pattern(layer, num_layers) for layer in range(num_layers)]
    masks: dict[Pattern, Tensor] = {}
    for name in dict.fromkeys(patterns):
        mask = pattern_mask(name, queries, keys).unsqueeze(1)
        masks[name] = mask if allowed is None else mask & allowed
    return [masks[name] for name in patterns]


def pattern_mask(pattern: Pattern, queries: Placement, keys: Placement) -> Tensor:
    """The mask of a pattern, bool [B or 1, Lq, Lk]; never allows a later token of the same target."""
    query, key = queries.position.unsqueeze(-1), keys.position.unsqueeze(-2)
    return (query >= key) & are_near(pattern, query, key, queries.width.unsqueeze(-1))


def are_near(pattern: Pattern, query: Tensor, key: Tensor, width: Tensor) -> Tensor:
    """Whether a pattern allows pairs of tokens, later ones too, by their positions and the width of the query's grid.

    The three have shapes that broadcast, which is that of the bool result.
    """
    columns = width.clamp(min=1)
    if pattern == "row":
        near = query - key <= width
    elif pattern == "column":
        near = (query - key) % columns == 0
    else:
        rows_apart = (query // columns - key // columns).abs()
        near = (rows_apart <= REACH) & ((query % columns - key % columns).abs() <= REACH)
    return near | (width == 0)

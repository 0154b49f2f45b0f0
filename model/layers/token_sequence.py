"""TokenSequence: embeddings with their mask, rotary factors and segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from embodio.model.layers.block_attention import BlockAttention, skips_blocks
from embodio.model.layers.packed_attention import Mask, SpanAttention, Spans
from embodio.model.layers.sparse_masks import Placement, join_placements


@dataclass(frozen=True)
class TokenSequence:
    """Tokens inside the model.

    Attributes:
        embeddings: [B, L, D].
        rotary: complex64 [B, L, Dh / 2], or [1, L, Dh / 2] when all rows share their positions.
        mask: bool [B, L], True where a token is valid; None when all are.
        segments: int64 [B, L]; tokens see each other only within a segment. None when a row is one segment.
        placement: grid positions of target tokens, if the masks of the paper are enabled.
        examples: int64 [B, L], the example of each token in packed rows; tokens of other examples are never visible,
            in self- or cross-attention. None where a row is one example.
        spans: the same of packed examples in one flat row without padding, instead of `examples`.
    """

    embeddings: Tensor
    rotary: Tensor
    mask: Tensor | None = None
    segments: Tensor | None = None
    placement: Placement | None = None
    examples: Tensor | None = None
    spans: Spans | None = None

    @property
    def length(self) -> int:
        """Number of tokens L, padding included."""
        return self.embeddings.shape[1]

    def full_mask(self) -> Tensor:
        """The mask as a bool tensor [B, L] even where all tokens are valid."""
        if self.mask is not None:
            return self.mask
        return torch.ones(self.embeddings.shape[:2], dtype=torch.bool, device=self.embeddings.device)

    def with_embeddings(self, embeddings: Tensor) -> TokenSequence:
        """The same tokens with other embeddings [B, L, D]."""
        return replace(self, embeddings=embeddings)


def concatenate(parts: Sequence[TokenSequence], *, separate: bool = False) -> TokenSequence:
    """Join sequences along L.

    Args:
        parts: at least one sequence; all of one batch size.
        separate: keep the tokens of different parts from seeing each other, by giving each part its own segments.

    Returns:
        One sequence; its mask, segments and per-row positions exist only if a part needs them.
    """
    if len(parts) == 1:
        return parts[0]
    batch = parts[0].embeddings.shape[0]
    if any(part.rotary.shape[0] != 1 for part in parts):
        rotary = torch.cat([part.rotary.expand(batch, -1, -1) for part in parts], dim=1)
    else:
        rotary = torch.cat([part.rotary for part in parts], dim=1)
    mask = None
    if any(part.mask is not None for part in parts):
        mask = torch.cat([part.full_mask() for part in parts], dim=1)
    segments = None
    if separate or any(part.segments is not None for part in parts):
        segments = _join_segments(parts, separate)
    placement = None
    if any(part.placement is not None for part in parts):
        placement = join_placements([part.placement for part in parts], [part.length for part in parts], batch)
    return TokenSequence(torch.cat([part.embeddings for part in parts], dim=1), rotary, mask, segments, placement)


def _join_segments(parts: Sequence[TokenSequence], separate: bool) -> Tensor:
    """Segment ids [B, L]; with `separate`, the ids of part i of n are i modulo n, so that no two parts share one."""
    device = parts[0].embeddings.device
    joined = []
    for index, part in enumerate(parts):
        ids = part.segments
        if ids is None:
            ids = torch.zeros(part.embeddings.shape[:2], dtype=torch.int64, device=device)
        joined.append(ids * len(parts) + index if separate else ids)
    return torch.cat(joined, dim=1)


def encoder_mask(tokens: TokenSequence) -> Mask:
    """The self-attention mask of the encoder's tokens: that of `self_attention_mask`, or packed examples."""
    if tokens.spans is not None:
        return SpanAttention(tokens.spans, tokens.spans)
    if tokens.examples is not None and skips_blocks(tokens.embeddings.device):
        return BlockAttention(tokens.examples, tokens.examples)
    return self_attention_mask(tokens)


def self_attention_mask(tokens: TokenSequence, *, causal: bool = False) -> Tensor | None:
    """The self-attention mask for `attend` as a tensor; spans have none.

    Every query keeps at least one key (all of them, or itself when causal), so that padding rows have finite, though
    meaningless, values.

    Args:
        tokens: the sequence.
        causal: hide tokens after the query, as in the decoder.

    Returns:
        bool, broadcastable to [B, H, L, L], True where attention is allowed; None if at most `causal` hides anything,
        which the caller passes on as `is_causal`.
    """
    if tokens.mask is None and tokens.segments is None and tokens.examples is None:
        return None
    allowed = tokens.full_mask()[:, None, None, :]
    for ids in (tokens.segments, tokens.examples):
        if ids is not None:
            allowed = allowed & (ids[:, None, :, None] == ids[:, None, None, :])
    if causal:
        square = torch.ones(tokens.length, tokens.length, dtype=torch.bool, device=allowed.device)
        return (allowed & square.tril()) | torch.eye(tokens.length, dtype=torch.bool, device=allowed.device)
    return allowed | ~allowed.any(dim=-1, keepdim=True)


def cross_attention_mask(mask: Tensor | None) -> Tensor | None:
    """Convert a key mask bool [B, L] to bool [B, 1, 1, L] for attention; a row without valid keys sees all."""
    if mask is None:
        return None
    return (mask | ~mask.any(dim=-1, keepdim=True))[:, None, None, :]


def decoder_cross_mask(tokens: TokenSequence, encoded: TokenSequence) -> Mask:
    """The cross-attention mask of target tokens: bool, broadcastable to [B, H, Lq, Lk]; None for all.

    In packed rows a token sees the valid tokens of its own example; all tokens if there are none.
    """
    if tokens.spans is not None and encoded.spans is not None:
        return SpanAttention(tokens.spans, encoded.spans)
    if encoded.examples is None or tokens.examples is None:
        return cross_attention_mask(encoded.mask)
    if skips_blocks(tokens.embeddings.device):
        return BlockAttention(tokens.examples, encoded.examples)
    own = (tokens.examples[:, :, None] == encoded.examples[:, None, :]) & encoded.full_mask()[:, None, :]
    return (own | ~own.any(dim=-1, keepdim=True)).unsqueeze(1)

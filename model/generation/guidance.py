"""Classifier-free guidance: moves scores away from those of a neutral prompt (paper, appendix D.2)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from embodio.model.errors import DecodingError, is_within
from embodio.model.layers.token_sequence import TokenSequence
from embodio.model.network.network import UnifiedIO2


@dataclass(frozen=True)
class Guidance:
    """An encoded neutral prompt, reusable for any number of requests, and a scale.

    Attributes:
        neutral: the encoder's output for the neutral prompt, one row, or one for each guided row.
        scale: strength of the guidance; 0 is off; the paper uses 10 for images and none for audio.
    """

    neutral: TokenSequence
    scale: float = 10.0

    def __post_init__(self) -> None:
        if not is_within(self.scale, 0.0, math.inf):
            raise DecodingError(f"guidance: scale {self.scale!r:.50}, expected a number that is 0 (off) or more")

    @classmethod
    @torch.no_grad()
    def encode(cls, model: UnifiedIO2, batch: Mapping[str, Tensor], scale: float = 10.0) -> Guidance:
        """Encode a neutral prompt, given as a batch, with the guided model."""
        return cls(model.encode(batch), scale)

    def add_to(self, encoded: TokenSequence) -> TokenSequence:
        """The rows of `encoded` [B, ...] followed by B rows of the neutral prompt: [2 B, ...].

        Raises:
            DecodingError: the number of neutral prompts is neither 1 nor B.
        """
        rows = encoded.embeddings.shape[0]
        if self.neutral.embeddings.shape[0] not in (1, rows):
            raise DecodingError(
                f"{self.neutral.embeddings.shape[0]} neutral prompts were encoded for {rows} rows; encode 1 or {rows}"
            )
        length = max(encoded.length, self.neutral.length)
        parts = [_widen(part, rows, length) for part in (encoded, self.neutral)]
        mask = None
        if any(part.mask is not None for part in parts):
            mask = torch.cat([part.full_mask() for part in parts])
        embeddings, rotary = (torch.cat([getattr(part, name) for part in parts]) for name in ("embeddings", "rotary"))
        return TokenSequence(embeddings, rotary, mask)


def guide(conditional: Tensor, neutral: Tensor, scale: float) -> Tensor:
    """Guided scores (1 + scale) * log p - scale * log p_neutral, from logits [N, V] of both prompts."""
    return (1.0 + scale) * conditional.log_softmax(dim=-1) - scale * neutral.log_softmax(dim=-1)


def _widen(tokens: TokenSequence, rows: int, length: int) -> TokenSequence:
    """The sequence expanded to `rows` rows and padded to `length` tokens; the new tokens are masked."""
    extra = length - tokens.length
    embeddings = functional.pad(tokens.embeddings, (0, 0, 0, extra)).expand(rows, -1, -1)
    rotary = torch.cat(
        (tokens.rotary, tokens.rotary.new_ones(tokens.rotary.shape[0], extra, tokens.rotary.shape[2])), 1
    )
    mask = tokens.mask
    if extra:
        mask = functional.pad(tokens.full_mask(), (0, extra), value=False)
    if mask is not None:
        mask = mask.expand(rows, -1)
    return TokenSequence(embeddings, rotary.expand(rows, -1, -1), mask)

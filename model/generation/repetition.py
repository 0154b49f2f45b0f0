"""Repetition control: penalises tokens already used, and forbids repeated n-grams."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from embodio.model.errors import DecodingError


@dataclass(frozen=True, kw_only=True)
class Repetition:
    """Settings of repetition control; the start id counts as used.

    Attributes:
        penalty: scores of used tokens are divided by it if positive and multiplied if negative (arXiv 1909.05858); 1
            does nothing, above 1 discourages, the JAX demonstration of the model uses 1.5 for text.
        no_repeat_ngram: runs of this many tokens never occur twice; 1 forbids every used token, 0 forbids nothing.
    """

    penalty: float = 1.0
    no_repeat_ngram: int = 0

    def __post_init__(self) -> None:
        if not 0.0 < self.penalty < float("inf"):
            raise DecodingError(f"repetition penalty {self.penalty} must be above 0; 1 does nothing")
        if self.no_repeat_ngram < 0:
            raise DecodingError(f"no_repeat_ngram {self.no_repeat_ngram} must be 0 (off) or more")

    def apply(self, scores: Tensor, history: Tensor) -> Tensor:
        """Change scores [N, V], given the tokens so far int64 [N, t]; forbidden ones become -inf."""
        if self.penalty != 1.0:
            used = scores.gather(-1, history)
            scores = scores.scatter(-1, history, torch.where(used < 0, used * self.penalty, used / self.penalty))
        if self.no_repeat_ngram:
            scores = scores.masked_fill(repeated(history, self.no_repeat_ngram, scores.shape[-1]), -torch.inf)
        return scores


def repeated(history: Tensor, length: int, size: int) -> Tensor:
    """Ids that would complete an n-gram of `length` that occurred before: bool [N, size], for history int64 [N, t]."""
    found = torch.zeros(history.shape[0], size, dtype=torch.bool, device=history.device)
    fed = history.shape[1]
    if fed < length:
        return found
    runs = history.unfold(1, length, 1)
    latest = history[:, fed - length + 1 :]
    same = (runs[..., :-1] == latest.unsqueeze(1)).all(dim=-1)
    # Several n-grams may end in the same id, so matches are summed.
    counts = torch.zeros(found.shape, dtype=torch.int64, device=history.device)
    return counts.scatter_add_(-1, runs[..., -1], same.long()) > 0

"""Decoding constraints and score rules: pure functions of the tokens so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from embodio.model.errors import DecodingError

Constraint = Callable[[Tensor, Tensor], Tensor | None]
"""(tokens int64 [N, t], rows int64 [N]) -> legal next ids, bool [N or 1, W], or None for all.

`tokens` are the tokens so far without the start id, so t is also the step; `rows` are their examples in the batch. Ids
of W and above are illegal. The result must depend on nothing else, since finished rows are left out and beams are
reordered. Every row needs a legal id."""

ScoreRule = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(scores [N, V], tokens int64 [N, t], rows int64 [N]) -> scores [N, V]; for preferences, not prohibitions."""


def allow(ids: Iterable[int]) -> Constraint:
    """Only these ids, at every step."""
    legal = _id_mask(ids)
    return lambda tokens, rows: legal.to(tokens.device)


def allow_below(size: int) -> Constraint:
    """Only ids below `size`, such as `Vocabulary.size`: not the unused rows at the end of a padded table."""
    legal = torch.ones(1, size, dtype=torch.bool)
    return lambda tokens, rows: legal.to(tokens.device)


def allow_by_step(choices: Sequence[Iterable[int]]) -> Constraint:
    """At step i only the ids `choices[i]`; after the last step any id, so the last choice should be the end id."""
    masks = [_id_mask(ids) for ids in choices]

    def legal(tokens: Tensor, rows: Tensor) -> Tensor | None:
        step = tokens.shape[1]
        return masks[step].to(tokens.device) if step < len(masks) else None

    return legal


def all_of(*constraints: Constraint) -> Constraint:
    """The intersection of constraints."""

    def legal(tokens: Tensor, rows: Tensor) -> Tensor | None:
        answer: Tensor | None = None
        for constraint in constraints:
            mask = constraint(tokens, rows)
            if mask is not None and answer is not None:
                width = min(answer.shape[-1], mask.shape[-1])
                mask = answer[:, :width] & mask[:, :width]
            answer = answer if mask is None else mask
        return answer

    return legal


def prefer_range(first: int, end: int, threshold: float) -> ScoreRule:
    """Keeps only the ids first..end-1 where their total probability exceeds `threshold`.

    The rule of object detection: with the ids of the value bins, more boxes are written as long as a further number is
    likely enough.
    """

    def rule(scores: Tensor, tokens: Tensor, rows: Tensor) -> Tensor:
        likely = scores.float().softmax(dim=-1)[:, first:end].sum(dim=-1, keepdim=True) > threshold
        ids = torch.arange(scores.shape[-1], device=scores.device)
        return scores.masked_fill(likely & ((ids < first) | (ids >= end)), -torch.inf)

    return rule


def _id_mask(ids: Iterable[int]) -> Tensor:
    """Bool [1, largest id + 1], True at the ids."""
    listed = sorted(set(ids))
    if not listed or listed[0] < 0:
        raise DecodingError(f"legal ids {listed[:5]} must be at least one, none of them negative")
    mask = torch.zeros(1, listed[-1] + 1, dtype=torch.bool)
    mask[0, listed] = True
    return mask

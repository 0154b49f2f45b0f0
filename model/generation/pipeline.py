"""ScorePipeline: processes the network's scores so that no illegal token can be chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from embodio.model.errors import DecodingError
from embodio.model.generation.constraints import Constraint, ScoreRule
from embodio.model.generation.repetition import Repetition

LARGEST = 1e30
"""Replaces an infinite score, so that differences between scores stay finite."""

LAST_RESORT = -1e9
"""Score of legal ids if repetition control and rules excluded all of them: constraints take precedence."""


@dataclass(frozen=True)
class ScorePipeline:
    """The stages between the network and the choice: repetition control, rules, then legality.

    Attributes:
        legal: bool [1, V], ids that exist in the modality; None when all do.
    """

    legal: Tensor | None = None
    repetition: Repetition | None = None
    rules: Sequence[ScoreRule] = ()
    constraint: Constraint | None = None

    def __call__(self, scores: Tensor, history: Tensor, rows: Tensor) -> Tensor:
        """Process the scores of one step.

        Args:
            scores: [N, V] of the network, after guidance. NaN counts as the worst score.
            history: int64 [N, t + 1], the start id and the t tokens so far.
            rows: int64 [N], their examples in the batch.

        Returns:
            [N, V], -inf exactly where an id is illegal, forbidden or ruled out; every row has a finite score, and only
            legal ids do.

        Raises:
            DecodingError: a constraint or rule gave a wrong shape, or a constraint left a row without any legal id.
        """
        shape, tokens = scores.shape, history[:, 1:]
        if self.repetition is not None:
            scores = self.repetition.apply(scores, history)
        for rule in self.rules:
            scores = rule(scores, tokens, rows)
            if scores.shape != shape:
                raise DecodingError(f"a score rule turned scores of shape {tuple(shape)} into {tuple(scores.shape)}")
        scores = torch.nan_to_num(scores, nan=-torch.inf, posinf=LARGEST, neginf=-torch.inf)
        legal = self._legal(tokens, rows, shape)
        if legal is not None:
            scores = scores.masked_fill(~legal, -torch.inf)
        lost = scores.isneginf().all(dim=-1, keepdim=True)
        if lost.any():
            scores = scores.masked_fill(lost if legal is None else lost & legal, LAST_RESORT)
        return scores

    def _legal(self, tokens: Tensor, rows: Tensor, shape: torch.Size) -> Tensor | None:
        mask = None if self.constraint is None else self.constraint(tokens, rows)
        if mask is None:
            return self.legal
        if mask.dtype != torch.bool or mask.ndim != 2 or mask.shape[0] not in (1, shape[0]):
            raise DecodingError(
                f"a constraint must give bool [{shape[0]} or 1, ids], found {mask.dtype} {list(mask.shape)}"
            )
        width = min(mask.shape[1], shape[1])
        legal = torch.zeros(mask.shape[0], shape[1], dtype=torch.bool, device=mask.device)
        legal[:, :width] = mask[:, :width]
        if self.legal is not None:
            legal &= self.legal
        empty = ~legal.any(dim=-1)
        if empty.any():
            where = rows.tolist() if mask.shape[0] == 1 else rows[empty].tolist()
            raise DecodingError(
                f"at step {tokens.shape[1]} the constraint leaves examples {where} without a legal id; allow at least "
                "one id that the modality has"
            )
        return legal

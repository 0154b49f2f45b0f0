"""Action plans, and the network's probability distributions over their numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from embodio.agent.answers import DimensionDistribution
from embodio.agent.errors import Abstained, Declined
from embodio.agent.format.grammar import Able
from embodio.agent.format.policy_format import PolicyFormat
from embodio.agent.planning.constrained import Answer, guided
from embodio.model.inference.word_tree import UNDEFINED, WordTree
from embodio.model.network.network import UnifiedIO2

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ActionPlan:
    """Actions predicted together for one row.

    Attributes:
        actions: float32 [n, A].
        answer: the decoded answer they were read from.
        row: row of the answer.
    """

    actions: npt.NDArray[np.float32]
    answer: Answer
    row: int

    @property
    def declined(self) -> bool:
        """Whether the answer is that what is asked for cannot be done; `actions` are then not to be played."""
        return self.answer.declines(self.row)

    @property
    def ids(self) -> npt.NDArray[np.int64]:
        """The tokens [T] of the answer, without the end token."""
        return self.answer.grammar.write(self.answer.choices[self.row])


Played = tuple[ActionPlan, Iterable[int]]
"""A plan, and the positions of the actions in it that are played."""


def legal_mass(dimensions: Sequence[DimensionDistribution]) -> float:
    """The legal mass of an action, the smallest of its dimensions."""
    return min(dimension.legal_mass for dimension in dimensions)


class Distributions:
    """Computes the distributions of a plan.

    Args:
        model: the network.
        policy_format: the format of its actions.
    """

    def __init__(self, model: UnifiedIO2, policy_format: PolicyFormat) -> None:
        self._table = model.table("text").detach()
        self._text, codec = policy_format.action_text, policy_format.codec
        self._dimensions = codec.action.dimensions
        self._levels: list[Doubles] = []
        self._weighers: list[torch.Tensor | WordTree] = []
        for index, spelled in enumerate(codec.spellings):
            levels = np.zeros((len(spelled), codec.size), dtype=np.int64)
            levels[:, index] = np.arange(len(spelled))
            self._levels.append(codec.from_levels(levels)[:, index].astype(np.float64))
            words = spelled if isinstance(spelled, tuple) else tuple((int(token),) for token in spelled)
            single = torch.tensor([word[0] for word in words], device=self._table.device)
            several = any(len(word) > 1 for word in words)
            self._weighers.append(WordTree(words, self._table.device) if several else single)

    def __call__(self, plan: ActionPlan, position: int, guidance: float = 0.0) -> tuple[DimensionDistribution, ...]:
        """The distributions of action `position` of a plan."""
        found = []
        for index, dimension in enumerate(self._dimensions):
            choice = self._text.choice_of(position, index)
            scores = self._scores(index, plan.answer.hidden[choice][plan.row])
            mass = float(scores.logsumexp(0).exp())
            if plan.answer.neutral:
                scores = guided(scores, self._scores(index, plan.answer.neutral[choice][plan.row]), guidance)
            probabilities = scores.softmax(0).cpu().numpy()
            chosen = int(plan.answer.choices[plan.row, choice])
            mass = min(mass, 1.0) if math.isfinite(mass) else 0.0
            found.append(
                DimensionDistribution(dimension.name, self._levels[index], probabilities, chosen, mass, dimension.words)
            )
        return tuple(found)

    def able(self, plan: ActionPlan, guidance: float = 0.0) -> float:
        """Probability that what is asked for can be done, as the plan's answer says; 1 without such an answer."""
        part = plan.answer.grammar.parts[0]
        if not isinstance(part, Able):
            return 1.0
        table = self._table[[part.no[0], part.yes[0]]]
        with torch.inference_mode():
            scores = functional.linear(plan.answer.hidden[0][plan.row, 0], table).double()
            if plan.answer.neutral:
                scores = guided(
                    scores, functional.linear(plan.answer.neutral[0][plan.row, 0], table).double(), guidance
                )
            return float(torch.nan_to_num(scores.softmax(0), nan=0.0)[1])

    def refused(
        self,
        verb: str,
        asked: Sequence[Any],
        played: Sequence[Played],
        threshold: float | None,
    ) -> tuple[list[int], Abstained | None]:
        """The rows that are not to be played and why: those that decline, else those with too low a legal mass.

        Args:
            verb: what was called.
            asked: the instruction of each row.
            played: what would be played of each.
            threshold: the lowest legal mass; None for any.
        """
        rows = [index for index, (plan, _) in enumerate(played) if plan.declined]
        if rows:
            given = ", ".join(f"{asked[index]!r:.80}" for index in rows)
            return rows, Declined(
                f"{verb}: rows {rows} were asked for {given}, and the policy answers that it cannot be done in what it "
                "sees; reset with another instruction, or look at agent.decide(observation).able"
            )
        if threshold is None:
            return [], None
        masses = [min(legal_mass(self(plan, position)) for position in positions) for plan, positions in played]
        rows = [index for index, mass in enumerate(masses) if not mass >= threshold]
        return rows, (
            Abstained(
                f"{verb}: rows {rows} have a legal mass below {threshold}; stop the robot, look at "
                "agent.decide(observation), or lower abstain_below"
            )
            if rows
            else None
        )

    def _scores(self, dimension: int, hidden: torch.Tensor) -> torch.Tensor:
        """Log-probabilities float64 [n] of the levels over the whole vocabulary, from hidden [1 + m, D]."""
        with torch.inference_mode():
            logits = functional.linear(hidden, self._table).double()
            if not bool(logits.isfinite().all()):
                logits = torch.full_like(logits, float("nan"))
            weigher = self._weighers[dimension]
            if isinstance(weigher, WordTree):
                return weigher.scores(logits[None])[0]
            return torch.nan_to_num(logits[0].log_softmax(dim=-1)[weigher], nan=UNDEFINED)

"""What an agent can say about an action besides the action: distributions, how sure it was, how long it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from embodio.agent.constrained import guided
from embodio.agent.policy_format import PolicyFormat
from embodio.model.network import UnifiedIO2

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """Actions that were predicted together for one row.

    Attributes:
        ids: int64 [T], the answer.
        actions: float32 [n, A].
        hidden: [n * A, D], what the network made of the position of each number.
        neutral: the same for the neutral instruction under guidance.
    """

    ids: npt.NDArray[np.int64]
    actions: npt.NDArray[np.float32]
    hidden: torch.Tensor
    neutral: torch.Tensor | None


@dataclass(frozen=True)
class DimensionDistribution:
    """What the network thought of one number of an action.

    Attributes:
        name: of the dimension.
        values: [n] the levels that it may have, from low to high.
        probabilities: [n] of the levels, with guidance, among the legal tokens.
        chosen: the level that was decoded.
        legal_mass: probability of all legal tokens together before anything was masked; a network that sees what it was
            trained on is near 1.
    """

    name: str
    values: Doubles
    probabilities: Doubles
    chosen: int
    legal_mass: float

    @property
    def mode(self) -> float:
        """The most probable value."""
        return float(self.values[self.probabilities.argmax()])

    @property
    def mean(self) -> float:
        """The expected value."""
        return float(self.values @ self.probabilities)

    @property
    def sample(self) -> float:
        """The value that was decoded: the mode, or one drawn by chance at a temperature above 0."""
        return float(self.values[self.chosen])

    @property
    def log_probability(self) -> float:
        """Of the decoded value, in nats."""
        return float(np.log(max(self.probabilities[self.chosen], 1e-300)))

    @property
    def entropy(self) -> float:
        """In nats; 0 when only one value is possible."""
        p = self.probabilities[self.probabilities > 0]
        return float(-(p * np.log(p)).sum())


@dataclass(frozen=True)
class ActionResult:
    """An action and what is known about it.

    Attributes:
        action: float32 [A], finite and inside the limits.
        dimensions: one per number.
        chunk: float32 [n, A], the prediction that the action comes from, and what would follow.
        position: place of the action in it.
        abstained: whether the legal mass is below the agent's `abstain_below`: do not trust this action.
        milliseconds: time of each stage of this call, and "total". Rows that were planned together share it.
    """

    action: npt.NDArray[np.float32]
    dimensions: tuple[DimensionDistribution, ...]
    chunk: npt.NDArray[np.float32]
    position: int
    abstained: bool
    milliseconds: Mapping[str, float]

    @property
    def log_probability(self) -> float:
        """Of the decoded action, in nats."""
        return sum(d.log_probability for d in self.dimensions)

    @property
    def entropy(self) -> float:
        """Sum over the dimensions, in nats."""
        return sum(d.entropy for d in self.dimensions)

    @property
    def legal_mass(self) -> float:
        """The smallest legal mass of a dimension: a sign of inputs unlike those of training when it is low."""
        return min(d.legal_mass for d in self.dimensions)


class Distributions:
    """Makes distributions out of plans.

    Args:
        model: the network.
        policy_format: its actions.
    """

    def __init__(self, model: UnifiedIO2, policy_format: PolicyFormat) -> None:
        self._table = model.table("text").detach()
        codec = policy_format.codec
        self._names = [dimension.name for dimension in codec.action.dimensions]
        self._legal = codec.legal_ids
        self._levels = []
        for index, ids in enumerate(self._legal):
            tokens = np.tile(np.array([legal[0] for legal in self._legal]), (len(ids), 1))
            tokens[:, index] = ids
            self._levels.append(codec.decode(tokens)[:, index].astype(np.float64))
        self._stride = codec.size + len(policy_format.separator_ids)

    def __call__(self, plan: Plan, position: int, guidance: float = 0.0) -> tuple[DimensionDistribution, ...]:
        """The distributions of action `position` of a plan."""
        size = len(self._names)
        place = slice(position * size, (position + 1) * size)
        with torch.inference_mode():
            logits = functional.linear(plan.hidden[place], self._table).double()
            away = None
            if plan.neutral is not None:
                away = torch.nan_to_num(functional.linear(plan.neutral[place], self._table).double(), nan=-1e30)
        begin = position * self._stride
        return self.of_logits(logits, plan.ids[begin : begin + size], away, guidance)

    def of_logits(
        self,
        logits: torch.Tensor,
        chosen_ids: npt.NDArray[np.int64],
        away: torch.Tensor | None = None,
        guidance: float = 0.0,
    ) -> tuple[DimensionDistribution, ...]:
        """The distributions of one action from float64 logits [A, V] and the ids int64 [A] that were chosen.

        Args:
            logits: of the positions of its numbers.
            chosen_ids: legal ids.
            away: the logits of the neutral instruction, under guidance.
            guidance: see `AgentOptions`.
        """
        logits = torch.nan_to_num(logits, nan=-1e30, posinf=1e30, neginf=-1e30)
        found = []
        for index, ids in enumerate(self._legal):
            allowed = torch.as_tensor(ids, device=logits.device)
            scores = logits[index, allowed]
            mass = float((scores.logsumexp(0) - logits[index].logsumexp(0)).exp())
            if away is not None:
                scores = guided(scores, away[index, allowed], guidance)
            probabilities = scores.softmax(0).cpu().numpy()
            chosen = int(np.flatnonzero(ids == chosen_ids[index])[0])
            name = self._names[index]
            found.append(DimensionDistribution(name, self._levels[index], probabilities, chosen, min(mass, 1.0)))
        return tuple(found)

"""Plans, and what the network thought of the numbers in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from embodio.agent.answers import DimensionDistribution
from embodio.agent.constrained import guided
from embodio.agent.policy_format import PolicyFormat
from embodio.model.network import UnifiedIO2


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

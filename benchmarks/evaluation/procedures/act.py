"""Actions of agents: what a policy does at steps of recorded episodes, without playing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from embodio.benchmarks.evaluation.procedures.parts.procedure import Procedure, Run
from embodio.datasets.metrics.parts.episodes import ActionSeries
from embodio.model.tasks.errors import AnswerError


class Act(Procedure):
    """The actions of a policy in its own words, observations and normalisation; one that declines is unreadable."""

    name = "act"
    annotation = ActionSeries
    answer = ("actions",)
    metrics = ("action_mae",)

    def ask(
        self, run: Run, asked: Sequence[ActionSeries], seeds: Sequence[int], options: Mapping[str, Mapping[str, Any]]
    ) -> list[ActionSeries | AnswerError]:
        """The actions from each step on, as many as the policy plans at once."""
        return list(run(self.name, asked, seeds=list(seeds)))


PROCEDURE = Act()

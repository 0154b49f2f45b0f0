"""Judgement: how often a yes-or-no judgement is right, and the mean of that over both right answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.metrics.parts.metric import Combined, Doubles, Metric, given, higher, mean_of_known, ratio
from embodio.model.tasks.families.judge_action import ActionJudged


class JudgementAccuracy(Metric[ActionJudged]):
    """Accuracy and balanced accuracy of judgements; chance is a half of the latter."""

    figures = higher("judgement_accuracy", "balanced_accuracy")
    reads = ("right",)

    def measure(self, found: ActionJudged | None, truth: ActionJudged) -> list[float]:
        """Whether the judgement is right, and the right one."""
        right = bool(given(truth, "right"))
        return [float(found is not None and bool(given(found, "right")) == right), float(right)]

    def combine(self, measures: Sequence[Sequence[float]], weights: Doubles) -> Combined:
        """Accuracy, and the mean over the right answers that occur."""
        correct, right = np.array(measures, dtype=np.float64).T
        sides = [ratio(weights @ (correct * side), weights @ side) for side in (right, 1 - right)]
        balanced = mean_of_known(np.stack(sides, axis=1))
        return {"judgement_accuracy": weights @ correct / weights.sum(axis=1), "balanced_accuracy": balanced}

    def scores(self, measures: Sequence[Sequence[float]]) -> Doubles:
        """Whether each is right."""
        return np.array(measures, dtype=np.float64)[:, 0]


METRIC = JudgementAccuracy()

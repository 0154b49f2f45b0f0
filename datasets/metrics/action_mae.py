"""Action MAE: mean absolute error of actions, in their own units."""

from __future__ import annotations

import numpy as np

from embodio.datasets.metrics.parts.episodes import ActionSeries
from embodio.datasets.metrics.parts.metric import MeanMetric, given, lower, same_shape


class ActionMae(MeanMetric[ActionSeries]):
    """The mean over numbers and steps of each item, then over items."""

    figures = lower("action_mae")
    reads = ("actions",)
    unbounded = ("action_mae",)

    def measure(self, found: ActionSeries | None, truth: ActionSeries) -> dict[str, float]:
        """The error of one series; an unreadable answer is as far off as the limits allow.

        Raises:
            MetricError: the shapes differ, or an answer is unreadable and the annotation has no limits.
        """
        right = np.asarray(given(truth, "actions"), dtype=np.float64)
        if found is None:
            low, high = np.asarray(given(truth, "limits"), dtype=np.float64)
            return {"action_mae": float(np.maximum(right - low, high - right).mean())}
        own = np.asarray(given(found, "actions"), dtype=np.float64)
        same_shape(own, right, "actions")
        return {"action_mae": float(np.abs(own - right).mean())}


METRIC = ActionMae()

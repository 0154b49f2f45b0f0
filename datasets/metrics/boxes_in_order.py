"""Boxes in order: how often each of several boxes is the right one, where their order says whose it is."""

from __future__ import annotations

import numpy as np

from embodio.datasets.metrics.parts.metric import MeanMetric, given, higher, same_shape
from embodio.datasets.metrics.parts.overlap import box_overlaps
from embodio.model.tasks.families.refer_several import References


class BoxesInOrder(MeanMetric[References]):
    """The share of boxes with an overlap above 0.5, and how often all of an item are right."""

    figures = higher("accuracy_50", "all_right")
    reads = ("boxes",)

    def measure(self, found: References | None, truth: References) -> dict[str, float]:
        """The figures of one item."""
        right = np.asarray(given(truth, "boxes"))
        if found is None:
            return {"accuracy_50": 0.0, "all_right": 0.0}
        own = np.asarray(given(found, "boxes"))
        same_shape(own, right, "boxes")
        good = np.diagonal(box_overlaps(own, right)) > 0.5
        return {"accuracy_50": float(good.mean()), "all_right": float(good.all())}


METRIC = BoxesInOrder()

"""Box accuracy: the overlap of one box with the right one, and how often it is more than a half."""

from __future__ import annotations

import numpy as np

from embodio.datasets.metrics.parts.metric import MeanMetric, given, higher
from embodio.datasets.metrics.parts.overlap import box_overlaps
from embodio.model.tasks.base.one_box_family import OneBoxItem


class BoxAccuracy(MeanMetric[OneBoxItem]):
    """The measure of RefCOCO and of GRIT's referring expressions: intersection over union above 0.5; and its mean."""

    figures = higher("accuracy_50", "mean_iou")
    reads = ("box",)

    def measure(self, found: OneBoxItem | None, truth: OneBoxItem) -> dict[str, float]:
        """Whether the overlap is above 0.5, and the overlap."""
        right = np.asarray(given(truth, "box"))[None]
        overlap = 0.0 if found is None else float(box_overlaps(np.asarray(given(found, "box"))[None], right)[0, 0])
        return {"accuracy_50": float(overlap > 0.5), "mean_iou": overlap}


METRIC = BoxAccuracy()

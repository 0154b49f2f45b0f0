"""Mask IoU: overlap of masks, as a mean over items and over all pixels together, and how often it is above a half."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.metrics.parts.metric import Combined, Doubles, Metric, given, higher, ratio
from embodio.datasets.metrics.parts.overlap import mask_counts
from embodio.model.tasks.families.segment import Segmented


class MaskIou(Metric[Segmented]):
    """Mean and overall intersection over union, as in referring segmentation; two empty masks agree wholly."""

    figures = higher("mask_iou", "overall_iou", "mask_accuracy_50")
    reads = ("mask",)

    def measure(self, found: Segmented | None, truth: Segmented) -> list[float]:
        """Pixels of the intersection and of the union, and whether the answer could be read."""
        right = given(truth, "mask")
        own = np.zeros_like(right) if found is None else given(found, "mask")
        return [*mask_counts(own, right), float(found is not None)]

    def combine(self, measures: Sequence[Sequence[float]], weights: Doubles) -> Combined:
        """Means of the items' overlaps, and ratios of sums."""
        own, sums = self.scores(measures), weights @ np.array(measures)[:, :2]
        total = weights.sum(axis=1)
        return {
            "mask_iou": weights @ own / total,
            "overall_iou": ratio(sums[:, 0], sums[:, 1]),
            "mask_accuracy_50": weights @ (own > 0.5) / total,
        }

    def scores(self, measures: Sequence[Sequence[float]]) -> Doubles:
        """The overlap of each item."""
        table = np.array(measures, dtype=np.float64)
        return np.where(table[:, 1] > 0, table[:, 0] / np.maximum(table[:, 1], 1), table[:, 2])


METRIC = MaskIou()

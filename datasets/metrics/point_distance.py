"""Point distance: how far a point is from the right one, in shares of the diagonal, and how often it is near."""

from __future__ import annotations

import math

import numpy as np

from embodio.datasets.metrics.parts.metric import MeanMetric, MetricError, given, higher, lower
from embodio.model.tasks.families.point import Pointed

NEAR = 0.05


class PointDistance(MeanMetric[Pointed]):
    """Distances as shares of the diagonal, and the share of points nearer than a twentieth; an unreadable one is 1."""

    figures = lower("point_distance") | higher("near_5")
    reads = ("point",)

    def measure(self, found: Pointed | None, truth: Pointed) -> dict[str, float]:
        """The distance of one point; raises MetricError without an image."""
        image, right = truth.media.image, np.asarray(given(truth, "point"), dtype=np.float64)
        if image is None:
            raise MetricError("image: the annotation has none; distances are shares of its diagonal")
        own = math.inf if found is None else float(np.linalg.norm(np.asarray(given(found, "point")) - right))
        share = min(own / math.hypot(*image.shape[:2]), 1.0)
        return {"point_distance": share, "near_5": float(share < NEAR)}


METRIC = PointDistance()

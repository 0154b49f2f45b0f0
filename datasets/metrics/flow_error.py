"""Flow error: the mean end-point error of optical flow in pixels, and the share of outliers as in KITTI."""

from __future__ import annotations

import numpy as np

from embodio.datasets.metrics.parts.metric import MeanMetric, MetricError, given, lower, same_shape
from embodio.model.tasks.families.flow import FlowItem

OUTLIER_PIXELS, OUTLIER_SHARE = 3.0, 0.05


class FlowError(MeanMetric[FlowItem]):
    """Over the pixels with a known movement of each image; means over images.

    A pixel is an outlier if its error is at least 3 pixels and at least 5 % of the movement. An unreadable answer
    counts as no movement at all, with every pixel an outlier.
    """

    figures = lower("end_point_error", "outliers")
    reads = ("flow",)
    unbounded = ("end_point_error",)

    def measure(self, found: FlowItem | None, truth: FlowItem) -> dict[str, float]:
        """The figures of one image; raises MetricError where no movement is known."""
        right = np.asarray(given(truth, "flow"), dtype=np.float64)
        known = np.isfinite(right).all(axis=2)
        if not known.any():
            raise MetricError("flow: no movement is known anywhere; leave such images out")
        moved = np.linalg.norm(right[known], axis=1)
        if found is None:
            return {"end_point_error": float(moved.mean()), "outliers": 1.0}
        own = np.asarray(given(found, "flow"), dtype=np.float64)
        same_shape(own, right, "flow")
        errors = np.linalg.norm(own[known] - right[known], axis=1)
        outlying = (errors >= OUTLIER_PIXELS) & (errors >= OUTLIER_SHARE * moved)
        return {"end_point_error": float(errors.mean()), "outliers": float(outlying.mean())}


METRIC = FlowError()

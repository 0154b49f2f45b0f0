"""Depth errors: root mean square and relative error of depth, and the share of pixels within 25 %."""

from __future__ import annotations

import numpy as np

from embodio.datasets.metrics.parts.metric import MeanMetric, MetricError, given, higher, lower, same_shape
from embodio.model.tasks.families.depth import DepthItem


class DepthErrors(MeanMetric[DepthItem]):
    """Errors over the pixels with a positive true depth, of each image; means over images.

    Depths are compared as they are, in the unit of the annotation.
    """

    figures = lower("depth_rmse", "depth_abs_rel") | higher("depth_within_1.25")
    reads = ("depth",)
    unbounded = ("depth_rmse", "depth_abs_rel")

    def measure(self, found: DepthItem | None, truth: DepthItem) -> dict[str, float]:
        """The figures of one image; an unreadable answer counts as depth 0.

        Raises:
            MetricError: the shapes differ, or no depth is known.
        """
        right = np.asarray(given(truth, "depth"), dtype=np.float64)
        known = np.isfinite(right) & (right > 0)
        if not known.any():
            raise MetricError("depth: the annotation has no positive depth; leave such images out")
        own = np.zeros_like(right) if found is None else np.asarray(given(found, "depth"), dtype=np.float64)
        same_shape(own, right, "depth")
        one, other = own[known], right[known]
        near = np.maximum(one, other) < 1.25 * np.minimum(one, other)
        return {
            "depth_rmse": float(np.sqrt(np.square(one - other).mean())),
            "depth_abs_rel": float((np.abs(one - other) / other).mean()),
            "depth_within_1.25": float(near.mean()),
        }


METRIC = DepthErrors()

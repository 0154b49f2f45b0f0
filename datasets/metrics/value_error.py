"""Value error: mean absolute difference of properties of boxes, in shares of the image's height, width or area."""

from __future__ import annotations

import numpy as np

from embodio.datasets.metrics.parts.metric import MeanMetric, MetricError, given, lower
from embodio.model.tasks.families.box_properties import Measured, property_of


class BoxValueError(MeanMetric[Measured]):
    """Objects are assigned as fits best; one that is missed or too many is off by 1, and so is an unreadable answer."""

    figures = lower("value_error")
    reads = ("values",)

    def measure(self, found: Measured | None, truth: Measured) -> dict[str, float]:
        """The error of one item; raises MetricError without an image."""
        from scipy.optimize import linear_sum_assignment

        image, own = truth.media.image, property_of(truth)
        if image is None:
            raise MetricError("image: the annotation has none; errors are shares of its sides")
        size = (int(image.shape[0]), int(image.shape[1]))
        right = own.shares(np.asarray(given(truth, "values")), size)
        if found is None:
            return {"value_error": 1.0}
        values = own.shares(np.asarray(given(found, "values")), size)
        most = max(len(right), len(values))
        errors = np.minimum(np.abs(values[:, None] - right[None]).mean(axis=2), 1.0)
        total = float(errors[linear_sum_assignment(errors)].sum()) + most - min(len(right), len(values))
        return {"value_error": total / most if most else 0.0}


METRIC = BoxValueError()

"""Point normal: the angle between the surface normal found and true at a point, in degrees."""

from __future__ import annotations

import numpy as np

from embodio.datasets.metrics.parts.metric import MeanMetric, given, higher, lower
from embodio.model.tasks.families.normal_at import PointNormal


class PointNormalAngle(MeanMetric[PointNormal]):
    """Mean angle, and the share within 22.5 degrees; an unreadable answer is off by 180 degrees."""

    figures = lower("normal_angle") | higher("within_22.5")
    reads = ("normal",)
    unbounded = ("normal_angle",)

    def measure(self, found: PointNormal | None, truth: PointNormal) -> dict[str, float]:
        """The angle at one point."""
        right = np.asarray(given(truth, "normal"), dtype=np.float64)
        if found is None:
            return {"normal_angle": 180.0, "within_22.5": 0.0}
        own = np.asarray(given(found, "normal"), dtype=np.float64)
        cosine = own @ right / max(float(np.linalg.norm(own) * np.linalg.norm(right)), 1e-12)
        angle = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
        return {"normal_angle": angle, "within_22.5": float(angle < 22.5)}


METRIC = PointNormalAngle()

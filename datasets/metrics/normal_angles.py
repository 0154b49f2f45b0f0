"""Normal angles: the angle between surface normals found and true, and shares of pixels within some degrees."""

from __future__ import annotations

import numpy as np

from embodio.datasets.metrics.parts.metric import Doubles, MeanMetric, MetricError, given, higher, lower, same_shape
from embodio.datasets.metrics.parts.overlap import Bools
from embodio.model.tasks.families.normals import NormalsItem

_NONE = 180.0  # degrees of an unreadable answer


class NormalAngles(MeanMetric[NormalsItem]):
    """Angles in degrees over the pixels with a normal, of each image; means over images."""

    figures = higher("within_11.25", "within_22.5", "within_30") | lower("mean_angle", "median_angle")
    reads = ("normals",)
    unbounded = ("mean_angle", "median_angle")

    def measure(self, found: NormalsItem | None, truth: NormalsItem) -> dict[str, float]:
        """The figures of one image."""
        right = given(truth, "normals")
        known = with_normal(right)
        angles = np.full(int(known.sum()), _NONE) if found is None else angles_between(given(found, "normals"), right)
        shares = {f"within_{limit:g}": float((angles < limit).mean()) for limit in (11.25, 22.5, 30.0)}
        return shares | {"mean_angle": float(angles.mean()), "median_angle": float(np.median(angles))}


def angles_between(found: Doubles, truth: Doubles) -> Doubles:
    """Angles in degrees, float64 [P], where there is a true normal.

    Args:
        found: float [H, W, 3], of any length.
        truth: the same; zero where unknown.

    Raises:
        MetricError: the shapes differ, or no normal is known.
    """
    same_shape(np.asarray(found), np.asarray(truth), "normals")
    known = with_normal(truth)
    one, other = (_unit(np.asarray(some, dtype=np.float64)[known]) for some in (found, truth))
    degrees: Doubles = np.degrees(np.arccos(np.clip((one * other).sum(axis=1), -1, 1)))
    return degrees


def with_normal(truth: Doubles) -> Bools:
    """Where a normal is known, bool [H, W]; raises MetricError if nowhere."""
    known = np.isfinite(truth).all(axis=2) & (np.abs(truth).sum(axis=2) > 0)
    if not known.any():
        raise MetricError("normals: the annotation has no normal anywhere; leave such images out")
    return np.asarray(known)


def _unit(vectors: Doubles) -> Doubles:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


METRIC = NormalAngles()

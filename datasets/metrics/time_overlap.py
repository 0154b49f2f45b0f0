"""Time overlap: how well spans of events fit the true ones of the same name, over union of found and true."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from embodio.datasets.metrics.parts.metric import Doubles, MeanMetric, given, higher
from embodio.datasets.metrics.parts.overlap import assigned_score
from embodio.model.tasks.families.find_events import Events


class TimeOverlap(MeanMetric[Events]):
    """The overlaps of the best assignment of spans of one name, over those found plus those missed, as in GRIT.

    `recall_50` is the share of true spans with a found one of the name that overlaps it by more than a half.
    """

    figures = higher("time_overlap", "recall_50")
    reads = ("spans", "labels")

    def measure(self, found: Events | None, truth: Events) -> dict[str, float]:
        """The figures of one video or sound."""
        right = np.asarray(given(truth, "spans"), dtype=np.float64).reshape(-1, 2)
        if found is None:
            return {"time_overlap": 0.0, "recall_50": 0.0}
        own = np.asarray(given(found, "spans"), dtype=np.float64).reshape(-1, 2)
        table = span_overlaps(own, right)
        for row, name in enumerate(found.labels):
            table[row] *= [name.strip().lower() == other.strip().lower() for other in truth.labels]
        recalled = (table > 0.5).any(axis=0).mean() if len(right) else float(not len(own))
        return {"time_overlap": assigned_score(table), "recall_50": float(recalled)}


def span_overlaps(found: npt.ArrayLike, truth: npt.ArrayLike) -> Doubles:
    """Intersection over union of each pair of spans [N, 2] and [M, 2] of time, float64 [N, M]."""
    left, right = (np.asarray(spans, dtype=np.float64).reshape(-1, 2) for spans in (found, truth))
    low, high = np.maximum(left[:, None, 0], right[None, :, 0]), np.minimum(left[:, None, 1], right[None, :, 1])
    shared = np.maximum(high - low, 0)
    union = np.diff(left, axis=1) + np.diff(right, axis=1).T - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


METRIC = TimeOverlap()

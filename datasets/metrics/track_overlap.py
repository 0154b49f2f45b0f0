"""Track overlap: the mean overlap of an object's boxes over the frames of a video, and how often it is above a half."""

from __future__ import annotations

import numpy as np

from embodio.datasets.metrics.parts.metric import MeanMetric, given, higher, same_shape
from embodio.datasets.metrics.parts.overlap import box_overlaps
from embodio.model.tasks.families.track import Tracked


class TrackOverlap(MeanMetric[Tracked]):
    """Means over the frames after the first; a frame without the object is right if none was found there."""

    figures = higher("track_overlap", "track_50")
    reads = ("boxes",)

    def measure(self, found: Tracked | None, truth: Tracked) -> dict[str, float]:
        """The figures of one object."""
        right = np.asarray(given(truth, "boxes"))
        own = np.full_like(right, np.nan) if found is None else np.asarray(given(found, "boxes"))
        same_shape(own, right, "boxes")
        overlaps = np.zeros(len(right))
        for frame, (one, other) in enumerate(zip(own, right, strict=True)):
            gone, unseen = bool(np.isnan(one).any()), bool(np.isnan(other).any())
            if gone or unseen:
                overlaps[frame] = float(gone and unseen and found is not None)
            else:
                overlaps[frame] = box_overlaps(one, other)[0, 0]
        return {"track_overlap": float(overlaps.mean()), "track_50": float((overlaps > 0.5).mean())}


METRIC = TrackOverlap()

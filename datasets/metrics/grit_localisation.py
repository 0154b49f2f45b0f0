"""GRIT localisation: overlaps of the best assignment of boxes found to boxes there are, over both together."""

from __future__ import annotations

from embodio.datasets.metrics.parts.metric import MeanMetric, given, higher
from embodio.datasets.metrics.parts.overlap import assigned_score, box_overlaps, boxes_of
from embodio.model.tasks.base.boxes_family import BoxesItem


class GritLocalisation(MeanMetric[BoxesItem]):
    """GRIT's measure of localisation (arXiv 2204.13653, section 4), whatever the names of the boxes."""

    figures = higher("grit_localisation")
    reads = ("boxes",)

    def measure(self, found: BoxesItem | None, truth: BoxesItem) -> dict[str, float]:
        """The score; an unreadable answer is wrong even where there is nothing."""
        right = boxes_of(given(truth, "boxes"), "boxes")
        if found is None:
            return {"grit_localisation": 0.0}
        return {"grit_localisation": assigned_score(box_overlaps(boxes_of(given(found, "boxes"), "boxes"), right))}


METRIC = GritLocalisation()

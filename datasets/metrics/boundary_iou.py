"""Boundary IoU: overlap of the edges of masks, which large masks do not get right by size alone."""

from __future__ import annotations

from embodio.datasets.metrics.parts.metric import MeanMetric, given, higher, same_shape
from embodio.datasets.metrics.parts.overlap import boundary, mask_overlap
from embodio.model.tasks.families.segment import Segmented


class BoundaryIou(MeanMetric[Segmented]):
    """Intersection over union of the pixels within 2 % of the image's diagonal of an edge (arXiv 2103.16562)."""

    figures = higher("boundary_iou")
    reads = ("mask",)

    def measure(self, found: Segmented | None, truth: Segmented) -> dict[str, float]:
        """The overlap; an unreadable answer is wrong."""
        right = given(truth, "mask")
        if found is None:
            return {"boundary_iou": 0.0}
        own = given(found, "mask")
        same_shape(own, right, "mask")
        return {"boundary_iou": mask_overlap(boundary(own), boundary(right))}


METRIC = BoundaryIou()

"""GRIT segmentation: overlaps of the best assignment of masks found to masks there are, over both together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.metrics.parts.metric import MeanMetric, given, higher
from embodio.datasets.metrics.parts.overlap import Bools, assigned_score, pairwise
from embodio.model.tasks.families.segment import Segmented


class GritSegmentation(MeanMetric[Segmented]):
    """GRIT's measure of segmentation (arXiv 2204.13653, section 4), of one mask of everything of a name.

    `segmentation_score` is the same for several masks.
    """

    figures = higher("grit_segmentation")
    reads = ("mask",)

    def measure(self, found: Segmented | None, truth: Segmented) -> dict[str, float]:
        """The score; empty masks are none."""
        right = given(truth, "mask")
        if found is None:
            return {"grit_segmentation": 0.0}
        masks = [[mask] if mask.any() else [] for mask in (given(found, "mask"), right)]
        return {"grit_segmentation": segmentation_score(*masks)}


def segmentation_score(found: Sequence[Bools], truth: Sequence[Bools], *, stuff: bool = False) -> float:
    """GRIT's score of masks bool [H, W].

    Args:
        found: the masks found.
        truth: the masks there are.
        stuff: whether the thing has no instances, such as grass: then each side is one mask.

    Raises:
        MetricError: shapes differ.
    """
    sides = (found, truth)
    if stuff:
        sides = tuple([np.logical_or.reduce(masks)] if len(masks) else [] for masks in sides)  # type: ignore[assignment]
    return assigned_score(pairwise(*sides))


METRIC = GritSegmentation()

"""GRIT instances: overlaps of the best assignment of masks found to the masks of all things of a name."""

from __future__ import annotations

from embodio.datasets.metrics.grit_segmentation import segmentation_score
from embodio.datasets.metrics.parts.instances import Instances
from embodio.datasets.metrics.parts.metric import MeanMetric, given, higher


class GritInstances(MeanMetric[Instances]):
    """GRIT's measure of segmentation (arXiv 2204.13653, section 4); stuff is one mask on each side."""

    figures = higher("grit_instances")
    reads = ("masks",)

    def measure(self, found: Instances | None, truth: Instances) -> dict[str, float]:
        """The score; an unreadable answer is wrong even where there is nothing."""
        right = given(truth, "masks")
        if found is None:
            return {"grit_instances": 0.0}
        return {"grit_instances": segmentation_score(given(found, "masks"), right, stuff=truth.stuff)}


METRIC = GritInstances()

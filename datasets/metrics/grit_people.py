"""GRIT people: object keypoint similarity of the best assignment of people found to all people of an image."""

from __future__ import annotations

from embodio.datasets.metrics.grit_keypoints import keypoints_score
from embodio.datasets.metrics.parts.instances import PeoplePoses
from embodio.datasets.metrics.parts.metric import MeanMetric, given, higher


class GritPeople(MeanMetric[PeoplePoses]):
    """GRIT's measure of keypoints (arXiv 2204.13653, section 4), of all people of an image."""

    figures = higher("grit_people")
    reads = ("people",)

    def measure(self, found: PeoplePoses | None, truth: PeoplePoses) -> dict[str, float]:
        """The score, of people with a visible point; an unreadable answer is wrong even where there is nobody."""
        right = [one for one in given(truth, "people") if one.visible.any()]
        return {"grit_people": 0.0 if found is None else keypoints_score(given(found, "people"), right)}


METRIC = GritPeople()

"""GRIT keypoints: object keypoint similarity of the best assignment of people found to people there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from embodio.datasets.metrics.parts.metric import MeanMetric, MetricError, given, higher
from embodio.datasets.metrics.parts.overlap import assigned_score
from embodio.model.tasks.families.keypoints import Person
from embodio.model.tasks.locations.labelled import BODY_PARTS, Keypoints

SIGMAS = np.array((26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89)) / 1000
"""How far annotators differ on each of the 17 body parts, as a share of the person's size (COCO)."""


class GritKeypoints(MeanMetric[Person]):
    """GRIT's measure of keypoints (arXiv 2204.13653, section 4), of one person; `keypoints_score` takes several."""

    figures = higher("grit_keypoints")
    reads = ("keypoints",)

    def measure(self, found: Person | None, truth: Person) -> dict[str, float]:
        """The score; an unreadable answer is wrong."""
        right = given(truth, "keypoints")
        people = [] if found is None else [given(found, "keypoints")]
        return {"grit_keypoints": keypoints_score(people, [right])}


def keypoints_score(found: Sequence[Keypoints], truth: Sequence[Keypoints]) -> float:
    """GRIT's score of people."""
    table = np.zeros((len(found), len(truth)))
    for column, right in enumerate(truth):
        for row, one in enumerate(found):
            table[row, column] = similarity(one.points, right)
    return assigned_score(table)


def similarity(points: npt.NDArray[np.floating], truth: Keypoints) -> float:
    """Object keypoint similarity of points [17, 2], with the area of the box around the visible points.

    Raises:
        MetricError: no keypoint of the annotation is visible, or there are not 17 points.
    """
    if np.shape(points) != (len(BODY_PARTS), 2):
        raise MetricError(f"keypoints: expected [17, 2], found the shape {np.shape(points)}")
    if not truth.visible.any():
        raise MetricError("keypoints: none of the annotation is visible; leave such people out")
    seen = np.asarray(truth.points, dtype=np.float64)[truth.visible]
    area = float(np.prod(seen.max(axis=0) - seen.min(axis=0)))
    squares = np.square(np.asarray(points, dtype=np.float64)[truth.visible] - seen).sum(axis=1)
    errors = squares / np.square(2 * SIGMAS[truth.visible]) / (area + np.spacing(1)) / 2
    return float(np.exp(-errors).mean())


METRIC = GritKeypoints()

"""Cuboid overlap: 3D intersection over union of the best assignment of cuboids, recall, and errors of pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.metrics.parts.metric import (
    Combined,
    Doubles,
    MetricError,
    SumsMetric,
    given,
    higher,
    lower,
    ratio,
)
from embodio.datasets.metrics.parts.overlap import assigned_score
from embodio.datasets.metrics.parts.solids import Solid, angle_between, solid_of, solid_overlap
from embodio.model.tasks.families.cuboids import Objects3D

_RECALLED = 0.25  # overlap from which an object counts as found


class CuboidOverlap(SumsMetric[Objects3D]):
    """3D boxes of one name, in front of a camera whose focal length is the height of the image (see `solid_of`).

    `cuboid_iou` is the sum of the overlaps of the best assignment over the number found plus the number missed, mean
    over items, as GRIT scores boxes; `cuboid_recall_25` the share of objects with an overlap of at least 0.25. The
    errors are means over the assigned pairs that overlap: distance of centres in metres, angle of rotations in degrees,
    and the mean difference of sides as a share of the right one; undefined without such a pair.
    """

    figures = higher("cuboid_iou", "cuboid_recall_25") | lower("cuboid_distance", "cuboid_angle", "cuboid_size_error")
    reads = ("cuboids",)
    unbounded = ("cuboid_distance", "cuboid_angle", "cuboid_size_error")

    def measure(self, found: Objects3D | None, truth: Objects3D) -> list[float]:
        """Score, 1, objects found, objects there, then sums of the errors and the number of pairs.

        Raises:
            MetricError: the annotation has no image, whose size is needed.
        """
        from scipy.optimize import linear_sum_assignment

        right = _solids(truth, truth)
        own = [] if found is None else _solids(found, truth)
        table = np.array([[solid_overlap(one, other) for other in right] for one in own]).reshape(len(own), len(right))
        score = 0.0 if found is None else assigned_score(table)
        assigned = zip(*linear_sum_assignment(-table), strict=True)
        pairs = [(row, column) for row, column in assigned if table[row, column] > 0]
        recalled = sum(table[pair] >= _RECALLED for pair in pairs)
        errors = np.sum([_errors(own[row], right[column]) for row, column in pairs] or [[0.0] * 3], axis=0).tolist()
        return [score, 1.0, float(recalled), float(len(right)), *errors, float(len(pairs))]

    def of_sums(self, sums: Doubles) -> Combined:
        """Quotients of the sums."""
        pairs = sums[:, 7]
        return {
            "cuboid_iou": ratio(sums[:, 0], sums[:, 1]),
            "cuboid_recall_25": ratio(sums[:, 2], sums[:, 3]),
            "cuboid_distance": ratio(sums[:, 4], pairs),
            "cuboid_angle": ratio(sums[:, 5], pairs),
            "cuboid_size_error": ratio(sums[:, 6], pairs),
        }


def _solids(item: Objects3D, asked: Objects3D) -> Sequence[Solid]:
    image = asked.media.image
    if image is None:
        raise MetricError("media.image: cuboids are compared in front of a camera; the annotation needs its image")
    return [solid_of(one, (int(image.shape[0]), int(image.shape[1]))) for one in given(item, "cuboids")]


def _errors(own: Solid, right: Solid) -> list[float]:
    """Distance of centres, angle, and relative difference of sides."""
    sizes = np.abs(own.half - right.half) / np.maximum(right.half, 1e-9)
    return [float(np.linalg.norm(own.centre - right.centre)), angle_between(own.axes, right.axes), float(sizes.mean())]


METRIC = CuboidOverlap()

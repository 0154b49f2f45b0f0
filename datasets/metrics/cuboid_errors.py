"""Cuboid errors: how many 3D boxes are found, and how far depth, size and rotation of those are off."""

from __future__ import annotations

import math

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
from embodio.datasets.metrics.parts.solids import angle_between
from embodio.model.tasks.families.cuboids import Objects3D
from embodio.model.tasks.locations.spatial import Cuboid

NEAR_CENTRE, NEAR_DEPTH = 0.05, 0.25


class CuboidErrors(SumsMetric[Objects3D]):
    """F value of 3D boxes found, and mean errors of these: relative depth, logarithm of sides, angle in degrees.

    A box is found if its centre is within a twentieth of the image's diagonal and its depth within a quarter of the
    true ones; boxes are assigned so that most are. The overlap in space of other benchmarks needs the camera's
    intrinsics, which annotations do not have.
    """

    figures = higher("cuboids_f1") | lower("depth_error", "size_error", "rotation_error")
    reads = ("cuboids",)
    unbounded = ("depth_error", "size_error", "rotation_error")

    def measure(self, found: Objects3D | None, truth: Objects3D) -> list[float]:
        """Boxes assigned, boxes found and true, and sums of the three errors; raises MetricError without an image."""
        from scipy.optimize import linear_sum_assignment

        right: tuple[Cuboid, ...] = given(truth, "cuboids")
        own: tuple[Cuboid, ...] = () if found is None else given(found, "cuboids")
        if truth.media.image is None:
            raise MetricError("image: the annotation has none; distances are shares of its diagonal")
        diagonal = math.hypot(*truth.media.image.shape[:2])
        near = np.array([[_near(one, other, diagonal) for other in right] for one in own], dtype=bool)
        near = near.reshape(len(own), len(right))
        pairs = [
            (own[row], right[column])
            for row, column in zip(*linear_sum_assignment(~near), strict=True)
            if near[row, column]
        ]
        errors = np.array([_errors(*pair) for pair in pairs]).reshape(-1, 3).sum(axis=0)
        return [float(len(pairs)), float(len(own) + len(right)), *errors.tolist()]

    def of_sums(self, sums: Doubles) -> Combined:
        """Ratios of sums; errors are NaN where nothing is found."""
        found, both, depth, size, rotation = sums.T
        return {
            "cuboids_f1": ratio(2 * found, both),
            "depth_error": ratio(depth, found),
            "size_error": ratio(size, found),
            "rotation_error": ratio(rotation, found),
        }


def _near(found: Cuboid, truth: Cuboid, diagonal: float) -> bool:
    off = math.dist(found.centre, truth.centre)
    return off <= NEAR_CENTRE * diagonal and abs(found.depth - truth.depth) <= NEAR_DEPTH * truth.depth


def _errors(found: Cuboid, truth: Cuboid) -> tuple[float, float, float]:
    """Relative error of depth, mean absolute logarithm of the ratios of sides, angle between rotations in degrees."""
    sides = np.abs(np.log(np.maximum(found.size, 1e-6)) - np.log(np.maximum(truth.size, 1e-6)))
    angle = angle_between(found.rotation, truth.rotation)
    return abs(found.depth - truth.depth) / truth.depth, float(sides.mean()), angle


METRIC = CuboidErrors()

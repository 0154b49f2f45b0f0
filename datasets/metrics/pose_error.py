"""Pose error: how far the movement of a camera is off in its angles and its distance."""

from __future__ import annotations

import math

from embodio.datasets.metrics.parts.metric import MeanMetric, given, lower
from embodio.model.tasks.families.camera_pose import Movement
from embodio.model.tasks.locations.spatial import RADIUS


class PoseError(MeanMetric[Movement]):
    """Means of absolute differences, the angles in degrees; an unreadable answer is as far off as possible."""

    figures = lower("polar_error", "azimuth_error", "radius_error")
    reads = ("pose",)
    unbounded = ("polar_error", "azimuth_error", "radius_error")

    def measure(self, found: Movement | None, truth: Movement) -> dict[str, float]:
        """The differences of one movement."""
        right = given(truth, "pose")
        if found is None:
            return {"polar_error": 180.0, "azimuth_error": 180.0, "radius_error": RADIUS.high - RADIUS.low}
        own = given(found, "pose")
        turn = (own.phi - right.phi + math.pi) % (2 * math.pi) - math.pi
        return {
            "polar_error": math.degrees(abs(own.theta - right.theta)),
            "azimuth_error": math.degrees(abs(turn)),
            "radius_error": abs(own.radius - right.radius),
        }


METRIC = PoseError()

"""Delta control of the gripper's pose in the frame of the arm's base, robosuite's default (operational space)."""

from __future__ import annotations

import numpy as np

from embodio.envs.embodiment import Dimension
from embodio.envs.robosuite.control import ArmPose, Control, Vector
from embodio.envs.robosuite.robot import RobosuiteRobot

METRES_PER_UNIT = 0.05  # translation commanded by the action value 1.0
RADIANS_PER_UNIT = 0.5  # rotation commanded by the action value 1.0


class DeltaPose(Control):
    """Translation and rotation vector, each in [-1, 1]."""

    label = "osc-pose"
    mode, frame, rotation, controller = "delta", "base", "axis_angle", "OSC_POSE"

    def dimensions(self, robot: RobosuiteRobot) -> tuple[Dimension, ...]:
        """Six numbers; the unit of each is the meaning of the value 1.0."""
        return (
            *(Dimension(f"delta_{axis}", f"{METRES_PER_UNIT} m", -1.0, 1.0) for axis in "xyz"),
            *(Dimension(f"delta_r{axis}", f"{RADIANS_PER_UNIT} rad", -1.0, 1.0) for axis in "xyz"),
        )

    def moved(self, pose: ArmPose, translation: Vector, rotation: Vector) -> Vector:
        """The motion in the frame of the base."""
        turned = pose.base.T @ np.stack([translation / METRES_PER_UNIT, rotation / RADIANS_PER_UNIT], axis=1)
        return turned.T.ravel()


CONTROL = DeltaPose()

"""Absolute control of the gripper's pose in the world (operational space)."""

from __future__ import annotations

import numpy as np

from embodio.envs.embodiment import Dimension
from embodio.envs.errors import InvalidAction
from embodio.envs.robosuite.control import ArmPose, Control, Vector
from embodio.envs.robosuite.robot import RobosuiteRobot

_LEAST_LENGTH = 0.1  # of a quaternion


class AbsolutePose(Control):
    """Position and quaternion, as the state has them.

    A quaternion need not have length 1, and unlike a rotation vector it does not jump where a gripper points down.
    """

    label = "osc-pose-absolute"
    mode, frame, rotation, controller = "absolute", "world", "quaternion", "OSC_POSE"
    part = {"input_type": "absolute", "input_ref_frame": "world"}  # noqa: RUF012 (declared in the base class)

    def dimensions(self, robot: RobosuiteRobot) -> tuple[Dimension, ...]:
        """Seven numbers."""
        return (
            *(Dimension(name, "m", low, low + 2.0) for name, low in (("x", -1.0), ("y", -1.0), ("z", 0.0))),
            *(Dimension(f"q{axis}", "quaternion", -1.0, 1.0) for axis in "xyzw"),
        )

    def command(self, values: Vector) -> Vector:
        """Position and rotation vector; raises InvalidAction if the quaternion is almost zero."""
        from scipy.spatial.transform import Rotation

        if np.linalg.norm(values[3:]) < _LEAST_LENGTH:
            raise InvalidAction(f"the quaternion {np.round(values[3:], 3)} is almost zero; give one of length 1")
        return np.concatenate([values[:3], Rotation.from_quat(values[3:]).as_rotvec()])

    def moved(self, pose: ArmPose, translation: Vector, rotation: Vector) -> Vector:
        """The pose after the motion."""
        from scipy.spatial.transform import Rotation

        turned = Rotation.from_rotvec(rotation) * Rotation.from_matrix(pose.rotation)
        return np.concatenate([pose.position + translation, turned.as_quat()])


CONTROL = AbsolutePose()

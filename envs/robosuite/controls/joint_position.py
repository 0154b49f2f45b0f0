"""Delta control of the angles of the joints."""

from __future__ import annotations

import numpy as np

from embodio.envs.embodiment import Dimension
from embodio.envs.robosuite.control import ArmPose, Control, Vector
from embodio.envs.robosuite.robot import RobosuiteRobot

_RADIANS_PER_UNIT = 0.2  # rotation of a joint commanded by the action value 1.0
_STIFFNESS = 150.0  # that of operational space control, so that both move about as quickly
_DAMPING = 0.02  # of the least squares, which keeps joints slow near singular poses


class DeltaJoints(Control):
    """One number in [-1, 1] for each joint."""

    label = "joint-position"
    mode, frame, rotation, controller = "delta", "joints", "none", "JOINT_POSITION"
    joints = True
    part = {  # noqa: RUF012 (declared in the base class)
        "type": "JOINT_POSITION",
        "output_max": _RADIANS_PER_UNIT,
        "output_min": -_RADIANS_PER_UNIT,
        "kp": _STIFFNESS,
    }

    def dimensions(self, robot: RobosuiteRobot) -> tuple[Dimension, ...]:
        """As many numbers as joints; the unit is the meaning of the value 1.0."""
        return tuple(
            Dimension(f"delta_joint{number}", f"{_RADIANS_PER_UNIT} rad", -1.0, 1.0)
            for number in range(1, len(robot.joints) + 1)
        )

    def moved(self, pose: ArmPose, translation: Vector, rotation: Vector) -> Vector:
        """Damped least squares; the whole motion becomes slower where one joint would be too fast."""
        wanted, jacobian = np.concatenate([translation, rotation]), pose.jacobian
        normal = jacobian @ jacobian.T + _DAMPING**2 * np.eye(6)
        turned: Vector = jacobian.T @ np.linalg.solve(normal, wanted) / _RADIANS_PER_UNIT
        return turned / max(1.0, float(np.abs(turned).max()))


CONTROL = DeltaJoints()

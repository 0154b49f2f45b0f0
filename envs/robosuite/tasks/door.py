"""Opening a door that has a latch, and its scripted expert: grasp the lever, turn it down, pull the door open.

The expert has no timers and no memory: what it does follows from the angles of lever and door and from where the
gripper is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embodio.envs.robosuite.reaching import ReachSettings, rotation_of
from embodio.envs.robosuite.task import ObjectPoses, RobosuiteTask

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

_HINGE = np.array([0.255, 0.0, 0.0])  # in the frame of the door's panel (m)
_SIGN = np.array([-1.0, -1.0, 1.0])
_LEVER = np.array([0.115, -0.1, 0.0])  # where it is held, in the frame of the lever (m)


@dataclass(frozen=True)
class DoorSettings(ReachSettings):
    """Gains and tolerances of `DoorExpert`; lengths in metres, angles in radians.

    Attributes:
        grip: finger distance below which the fingers hold the lever, which is 4 cm high.
        empty: finger distance below which there is nothing between them.
        unlatched: angle of the lever from which on the latch lets the door go.
        ajar: angle of the door from which on the latch does not matter.
        lead: how far ahead of the present angle the lever is pressed, and the door pulled.
    """

    hover: float = 0.1
    near: float = 0.025
    near_turned: float = 0.3
    grip: float = 0.046
    empty: float = 0.02
    unlatched: float = 1.3
    ajar: float = 0.06
    lead: float = 0.5


class DoorExpert:
    """Opens the door. It reads poses from the simulator, which policies cannot."""

    def __init__(self, env: ObjectPoses, settings: DoorSettings | None = None) -> None:
        self._env, self._settings = env, settings or DoorSettings()

    def reset(self, instruction: str | None = None) -> None:
        """Does nothing: the expert is stateless."""

    def act(self, observation: Mapping[str, Any]) -> NDArray[np.float32]:
        """The next action.

        Args:
            observation: its "state" is float32 [9]: position (m), quaternion xyzw, finger positions (m).

        Returns:
            float32 [7]: translation, rotation vector, gripper; each in [-1, 1]. Free of noise.
        """
        settings = self._settings
        state = np.asarray(observation["state"], np.float64)
        gripper, opening = rotation_of(state[3:7]), float(state[7] - state[8])
        frame, panel, latch = (self._env.body_pose(f"Door_{part}") for part in ("frame", "door", "latch"))
        opened = _angle(frame[1].T @ panel[1], about=2)
        turned = _angle(panel[1].T @ latch[1], about=1)
        held = latch[0] + latch[1] @ _LEVER
        wanted = _across(latch[1])
        error = float((wanted * gripper.inv()).magnitude())
        front = latch[1][:, [2, 0, 1]] * [1.0, 1.0, -1.0]  # its third axis points from the lever to the gripper
        to_grasp = front.T @ (held - state[:3])
        if not settings.may_close(to_grasp, error, opening, settings.empty):
            to_grasp[2] += settings.height(to_grasp, error, opening)
            return settings.turned_to(wanted, front @ to_grasp, gripper, False)
        if opening > settings.grip and turned < settings.lead:
            return settings.turned_to(wanted, held - state[:3], gripper, True)
        if turned < settings.unlatched and opened < settings.ajar:
            ahead = latch[1] @ _about(1, settings.lead)
            goal, wanted = latch[0] + ahead @ _LEVER, _across(ahead)
        else:
            hinge = panel[0] + panel[1] @ _HINGE
            goal = hinge + _about(2, settings.lead) @ (held - hinge)
        return settings.turned_to(wanted, goal - state[:3], gripper, True)


def _across(lever: NDArray[np.float64]) -> Rotation:
    """The rotation of a gripper that points at the door and closes across the lever.

    Of the two it is the one from which the wrist can follow the lever down.

    Args:
        lever: its rotation matrix [3, 3].
    """
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(lever[:, [2, 0, 1]] * _SIGN)


def _angle(rotation: NDArray[np.float64], about: int) -> float:
    """The angle (rad) of a rotation about a coordinate axis."""
    from scipy.spatial.transform import Rotation

    return float(Rotation.from_matrix(rotation).as_rotvec()[about])


def _about(axis: int, angle: float) -> NDArray[np.float64]:
    """The rotation matrix [3, 3] about a coordinate axis."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(angle * np.eye(3)[axis]).as_matrix()


TASK = RobosuiteTask(class_name="Door", instruction="open the door", expert=DoorExpert)

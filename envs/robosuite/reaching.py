"""Reaching for an object with a gripper that points down, as scripted experts do it: funnel, fingers and commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embodio.envs.robosuite.controls.osc_pose import METRES_PER_UNIT, RADIANS_PER_UNIT

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation  # loaded when an expert acts, not when a task is looked up

_OPEN, _CLOSE = -1.0, 1.0
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class ReachSettings:
    """Gains and tolerances of reaching; lengths in metres, angles in radians.

    Attributes:
        position_gain: commanded metres per metre of error; at 1 the arm's controller, a critically damped spring, is
            pulled straight to the target without overshooting it.
        rotation_gain: commanded radians per radian of error.
        hover: height above the grasp at which the gripper waits to be aligned.
        aligned: horizontal error within which the gripper descends fully.
        turned: yaw error within which the gripper descends fully.
        funnel: height kept per metre of horizontal error beyond `aligned`.
        funnel_turn: height kept per radian of yaw error beyond `turned`.
        near: horizontal error within which the fingers close.
        near_turned: yaw error within which the fingers close.
        near_height: vertical error within which the fingers close.
        slack: factor by which the horizontal and the yaw tolerance widen once the fingers have begun to close, so that
            a disturbance does not open them again.
        open: finger distance below which the fingers have begun to close.
    """

    position_gain: float = 1.0
    rotation_gain: float = 1.5
    hover: float = 0.08
    aligned: float = 0.01
    turned: float = 0.12
    funnel: float = 2.0
    funnel_turn: float = 0.15
    near: float = 0.02
    near_turned: float = 0.25
    near_height: float = 0.022
    slack: float = 2.0
    open: float = 0.075

    def height(self, to_grasp: Vector, yaw_error: float, opening: float) -> float:
        """Height above the grasp to strive for (m): a funnel that lets the gripper down as it becomes aligned.

        Once the fingers are next to the object it can only slide along with them, so they need not come up again for a
        small error.

        Args:
            to_grasp: from the gripper to the grasp [3] (m).
            yaw_error: size of the rotation that is left (rad).
            opening: distance of the fingers (m).
        """
        above = -to_grasp[2]
        if opening < self.open and above > self.near_height:
            return self.hover
        tolerance = self.slack * self.near if above < self.near_height else self.aligned
        astray = self.funnel * max(0.0, float(np.hypot(*to_grasp[:2])) - tolerance)
        twisted = self.funnel_turn * max(0.0, yaw_error - self.turned)
        return min(self.hover, astray + twisted)

    def may_close(self, to_grasp: Vector, yaw_error: float, opening: float, empty: float) -> bool:
        """Whether the object is between the fingers, judged more leniently once they have begun to close.

        Args:
            to_grasp: from the gripper to the grasp [3] (m).
            yaw_error: the rotation that is left (rad).
            opening: distance of the fingers (m).
            empty: distance below which there is nothing between them (m).
        """
        slack = self.slack if opening < self.open else 1.0
        return bool(
            opening > empty
            and np.hypot(*to_grasp[:2]) < slack * self.near
            and abs(to_grasp[2]) < self.near_height
            and abs(yaw_error) < slack * self.near_turned
        )

    def command(self, motion: Vector, gripper: Rotation, yaw: float, close: bool) -> NDArray[np.float32]:
        """The action float32 [7] in [-1, 1]: translation, rotation vector, fingers.

        Args:
            motion: of the gripper [3] (m).
            gripper: its rotation, which is brought back to pointing down.
            yaw: rotation about the vertical (rad).
            close: whether the fingers close.
        """
        return self.turned_to(pointing_down(heading(gripper) + yaw), motion, gripper, close)

    def turned_to(self, wanted: Rotation, motion: Vector, gripper: Rotation, close: bool) -> NDArray[np.float32]:
        """As `command`, for any rotation that the gripper shall have."""
        turn = (wanted * gripper.inv()).as_rotvec()
        arm = np.concatenate(
            [self.position_gain / METRES_PER_UNIT * motion, self.rotation_gain / RADIANS_PER_UNIT * turn]
        )
        return np.append(np.clip(arm, -1.0, 1.0), _CLOSE if close else _OPEN).astype(np.float32)


def rotation_of(quaternion: Vector) -> Rotation:
    """The rotation of a gripper whose quaternion [4] is (x, y, z, w)."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_quat(quaternion)


def heading(gripper: Rotation) -> float:
    """Direction (rad) of the gripper's x axis, seen from above."""
    x, y, _ = gripper.apply([1.0, 0.0, 0.0])
    return float(np.arctan2(y, x))


def yaw_to_hold(gripper: Rotation, rotation: NDArray[np.float64], symmetry: float, axis: int | None = None) -> float:
    """The smallest rotation about the vertical after which a gripper can hold an object.

    Args:
        gripper: the rotation of the gripper.
        rotation: the rotation matrix [3, 3] of the object.
        symmetry: angle (rad) after which the object can be held again; 0 if at every angle.
        axis: the axis of the object that the x axis of the gripper shall be parallel to; None for the most horizontal
            one, as a cube may lie on any side.

    Returns:
        The angle in radians, at most half of `symmetry`.
    """
    if symmetry == 0.0:
        return 0.0
    flattest = int(np.argmin(np.abs(rotation[2]))) if axis is None else axis
    error = float(np.arctan2(rotation[1, flattest], rotation[0, flattest])) - heading(gripper)
    return float((error + symmetry / 2) % symmetry - symmetry / 2)


def pointing_down(heading: float) -> Rotation:
    """The rotation that points straight down, with its x axis in the direction `heading` (rad)."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_euler("ZX", [heading, np.pi])

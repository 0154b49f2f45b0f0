"""PickPlaceExpert: hover above an object, descend, close the gripper, carry the object to its goal, let go, retreat.

Like `LiftExpert` it has no timers and no memory: every action is a function of the present pose of the object, the pose
of the gripper and the distance of the fingers, so a disturbed motion is taken up again from wherever it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from embodio.envs.robosuite.panda import METRES_PER_UNIT, RADIANS_PER_UNIT
from embodio.envs.robosuite.task import ObjectPoses

_OPEN, _CLOSE = -1.0, 1.0
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Grasp:
    """How an object is held by a gripper that points down.

    Attributes:
        name: the object.
        width: distance of the fingers that hold it (m).
        symmetry: angle (rad) about the vertical after which the object can be held again; 0 if at every angle.
        height: height of the gripper above the object's origin (m).
        axis: the axis of the object along the gripper's x axis, across which the fingers close; None for any of a cube.
    """

    name: str
    width: float
    symmetry: float
    height: float = 0.0
    axis: int | None = None


@dataclass(frozen=True)
class PlaceSettings:
    """Gains and tolerances of `PickPlaceExpert`; lengths in metres, angles in radians.

    Attributes:
        position_gain, rotation_gain: commanded motion per motion that is left.
        hover: height above the grasp at which the gripper waits to be aligned.
        aligned, turned: horizontal and yaw error within which the gripper descends fully.
        funnel, funnel_turn: height kept per metre and per radian beyond them.
        near, near_turned, near_height: horizontal, yaw and vertical error within which the fingers close.
        slack: factor by which these widen once the fingers have begun to close.
        open: finger distance below which the fingers have begun to close.
        grip: distance beyond the width of the object up to which the fingers hold it, and below it down to which they
            are not empty.
        clearance: height above the goal at which an object is carried.
        over: horizontal error within which a carried object is lowered.
        placed, placed_height: horizontal error, and vertical error, within which the object is let go.
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
    grip: float = 0.006
    clearance: float = 0.08
    over: float = 0.01
    placed: float = 0.012
    placed_height: float = 0.01


class PickPlaceExpert:
    """Brings one object to a goal. It reads poses from the simulator, which policies cannot."""

    def __init__(
        self,
        env: ObjectPoses,
        grasp: Grasp,
        goal: Callable[[ObjectPoses], Vector],
        settings: PlaceSettings | None = None,
    ) -> None:
        """Prepares the expert.

        Args:
            env: tells the pose of the object.
            grasp: of the object.
            goal: where the origin of the object shall be (m, world frame), from the environment.
            settings: gains and tolerances.
        """
        self._env, self._grasp, self._goal = env, grasp, goal
        self._settings = settings or PlaceSettings()

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
        position, rotation = self._env.body_pose(self._grasp.name)
        gripper, opening = Rotation.from_quat(state[3:7]), float(state[7] - state[8])
        to_grasp = position - state[:3]
        to_grasp[2] += self._grasp.height
        yaw = yaw_to_hold(gripper, rotation, self._grasp.symmetry, self._grasp.axis)
        left = self._goal(self._env) - position
        close = False
        if self._is_placed(left):
            # Away from the object only once the fingers have let go of it.
            motion = np.array(
                [0.0, 0.0, settings.clearance if opening > self._grasp.width + 2 * settings.grip else 0.0]
            )
            yaw = 0.0
        elif self._may_close(to_grasp, yaw, opening):
            close = True
            held = opening < self._grasp.width + settings.grip
            motion = self._carry(left) if held else to_grasp
            yaw = 0.0 if held else yaw
        else:
            motion = to_grasp + np.array([0.0, 0.0, self._height(to_grasp, abs(yaw), opening)])
        turn = (pointing_down(heading(gripper) + yaw) * gripper.inv()).as_rotvec()
        arm = np.concatenate(
            [settings.position_gain / METRES_PER_UNIT * motion, settings.rotation_gain / RADIANS_PER_UNIT * turn]
        )
        return np.append(np.clip(arm, -1.0, 1.0), _CLOSE if close else _OPEN).astype(np.float32)

    def _is_placed(self, left: Vector) -> bool:
        settings = self._settings
        return bool(np.hypot(*left[:2]) < settings.placed and abs(left[2]) < settings.placed_height)

    def _carry(self, left: Vector) -> Vector:
        """The motion of a held object: up, across at `clearance`, and down over the goal."""
        settings = self._settings
        across = float(np.hypot(*left[:2]))
        height = 0.0 if across < settings.over else settings.clearance
        rise = left[2] + height
        free = np.clip(1.0 - rise / (0.5 * settings.clearance), 0.0, 1.0) if across > settings.over else 1.0
        return np.array([*(free * left[:2]), rise])

    def _height(self, to_grasp: Vector, yaw_error: float, opening: float) -> float:
        """Height above the grasp to strive for (m): a funnel that lets the gripper down as it becomes aligned."""
        settings = self._settings
        above = -to_grasp[2]
        if opening < settings.open and above > settings.near_height:
            return settings.hover
        tolerance = settings.slack * settings.near if above < settings.near_height else settings.aligned
        astray = settings.funnel * max(0.0, float(np.hypot(*to_grasp[:2])) - tolerance)
        twisted = settings.funnel_turn * max(0.0, yaw_error - settings.turned)
        return min(settings.hover, astray + twisted)

    def _may_close(self, to_grasp: Vector, yaw_error: float, opening: float) -> bool:
        """Whether the object is between the fingers, judged more leniently once they have begun to close."""
        settings = self._settings
        slack = settings.slack if opening < settings.open else 1.0
        return bool(
            opening > self._grasp.width - settings.grip
            and np.hypot(*to_grasp[:2]) < slack * settings.near
            and abs(to_grasp[2]) < settings.near_height
            and abs(yaw_error) < slack * settings.near_turned
        )


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
    return Rotation.from_euler("ZX", [heading, np.pi])

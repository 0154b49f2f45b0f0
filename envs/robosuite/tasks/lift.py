"""Lifting a cube, and its scripted expert: hover above the cube, descend, close the gripper, lift.

The expert has no timers and no memory. Every action is a function of the present frame and the joint state (where the
cube is, where the gripper is, how far the fingers are apart), so a policy that sees one frame can imitate it, and a
disturbed motion is simply taken up again from wherever it was disturbed to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from embodio.envs.robosuite.panda import METRES_PER_UNIT, RADIANS_PER_UNIT
from embodio.envs.robosuite.pick_place import heading, pointing_down, yaw_to_hold
from embodio.envs.robosuite.task import ObjectPoses, RobosuiteTask

_OPEN, _CLOSE = -1.0, 1.0
_QUARTER_TURN = np.pi / 2  # the symmetry of the cube


@dataclass(frozen=True)
class LiftSettings:
    """Gains and tolerances of `LiftExpert`.

    Attributes:
        position_gain: commanded metres per metre of error; at 1 the arm's controller, a critically damped spring, is
            pulled straight to the target without overshooting it.
        rotation_gain: commanded radians per radian of error.
        hover: height above the centre of the cube at which the gripper waits to be aligned (m).
        lift: target height of the gripper above the cube's centre once it holds the cube (m).
        aligned: horizontal error within which the gripper descends fully (m).
        turned: yaw error within which the gripper descends fully (rad).
        funnel: height kept per metre of horizontal error beyond `aligned`.
        funnel_turn: height kept per radian of yaw error beyond `turned` (m).
        near: horizontal error within which the fingers close (m).
        near_turned: yaw error within which the fingers close (rad).
        near_height: vertical error within which the fingers close (m).
        slack: factor by which the horizontal and the yaw tolerance widen once the fingers have begun to close, so that
            a disturbance does not open them again.
        open: finger distance below which the fingers have begun to close (m).
        held: finger distance at which they hold the cube (m); the cube is 40 to 44 mm wide.
        empty: finger distance below which there is nothing between them (m).
    """

    position_gain: float = 1.0
    rotation_gain: float = 1.5
    hover: float = 0.07
    lift: float = 0.1
    aligned: float = 0.01
    turned: float = 0.12
    funnel: float = 2.0
    funnel_turn: float = 0.15
    near: float = 0.02
    near_turned: float = 0.25
    near_height: float = 0.022
    slack: float = 2.0
    open: float = 0.075
    held: float = 0.046
    empty: float = 0.038


class LiftExpert:
    """Lifts the object "cube" with a gripper that points down.

    Reads the pose of the cube from the simulator, which policies cannot; everything else is in the observation.
    """

    def __init__(self, env: ObjectPoses, settings: LiftSettings | None = None) -> None:
        self._env = env
        self._settings = settings or LiftSettings()

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
        cube_position, cube_rotation = self._env.body_pose("cube")
        to_cube = cube_position - state[:3]
        gripper = Rotation.from_quat(state[3:7])
        yaw_error = yaw_to_hold(gripper, cube_rotation, _QUARTER_TURN)
        opening = state[7] - state[8]

        turn = (pointing_down(heading(gripper) + yaw_error) * gripper.inv()).as_rotvec()

        may_close = self._may_close(to_cube, yaw_error, opening)
        if may_close and opening < settings.held:
            motion = np.array([0.0, 0.0, to_cube[2] + settings.lift])
        else:
            height = self._height(to_cube, abs(yaw_error), opening)
            motion = to_cube + np.array([0.0, 0.0, height])
        arm = np.concatenate(
            [settings.position_gain / METRES_PER_UNIT * motion, settings.rotation_gain / RADIANS_PER_UNIT * turn]
        )
        return np.append(np.clip(arm, -1.0, 1.0), _CLOSE if may_close else _OPEN).astype(np.float32)

    def _height(self, to_cube: NDArray[np.float64], yaw_error: float, opening: float) -> float:
        """Height above the cube to strive for (m): a funnel that lets the gripper down as it becomes aligned.

        Once the fingers are next to the cube it can only slide along with them, so they need not come up again for a
        small error.
        """
        settings = self._settings
        above = -to_cube[2]
        if opening < settings.open and above > settings.near_height:
            return settings.hover
        tolerance = settings.slack * settings.near if above < settings.near_height else settings.aligned
        astray = settings.funnel * max(0.0, float(np.hypot(*to_cube[:2])) - tolerance)
        twisted = settings.funnel_turn * max(0.0, yaw_error - settings.turned)
        return min(settings.hover, astray + twisted)

    def _may_close(self, to_cube: NDArray[np.float64], yaw_error: float, opening: float) -> bool:
        """Whether the cube is between the fingers, judged more leniently once they have begun to close."""
        settings = self._settings
        slack = settings.slack if opening < settings.open else 1.0
        return bool(
            opening > settings.empty
            and np.hypot(*to_cube[:2]) < slack * settings.near
            and abs(to_cube[2]) < settings.near_height
            and abs(yaw_error) < slack * settings.near_turned
        )


TASK = RobosuiteTask(class_name="Lift", instruction="lift the red cube", expert=LiftExpert)

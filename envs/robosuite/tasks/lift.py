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

from embodio.envs.robosuite.reaching import ReachSettings, rotation_of, yaw_to_hold
from embodio.envs.robosuite.task import ObjectPoses, RobosuiteTask

_QUARTER_TURN = np.pi / 2  # the symmetry of the cube


@dataclass(frozen=True)
class LiftSettings(ReachSettings):
    """Gains and tolerances of `LiftExpert`.

    Attributes:
        lift: target height of the gripper above the cube's centre once it holds the cube (m).
        held: finger distance at which they hold the cube (m); the cube is 40 to 44 mm wide.
        empty: finger distance below which there is nothing between them (m).
    """

    hover: float = 0.07
    lift: float = 0.1
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
        gripper = rotation_of(state[3:7])
        yaw_error = yaw_to_hold(gripper, cube_rotation, _QUARTER_TURN)
        opening = state[7] - state[8]

        may_close = settings.may_close(to_cube, yaw_error, opening, settings.empty)
        if may_close and opening < settings.held:
            motion = np.array([0.0, 0.0, to_cube[2] + settings.lift])
        else:
            height = settings.height(to_cube, abs(yaw_error), opening)
            motion = to_cube + np.array([0.0, 0.0, height])
        return settings.command(motion, gripper, yaw_error, may_close)


TASK = RobosuiteTask(class_name="Lift", instruction="lift the red cube", expert=LiftExpert)

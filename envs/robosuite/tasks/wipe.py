"""Wiping dirt off a table, and its scripted expert: press the wiper onto the nearest dirt that is left, and go on.

The expert has no timers and no memory: what it does follows from where dirt is left and from where the wiper is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodio.envs.robosuite.reaching import ReachSettings, rotation_of
from embodio.envs.robosuite.task import ObjectPoses, RobosuiteTask

_HOVER = 0.04  # height above the table at which the wiper comes (m)
_DOWN = 0.02  # height below which it is down, and stays down (m)
_PRESS = 0.02  # how far into the table it strives, which makes it press (m)
_ABOVE = 0.03  # horizontal distance to the dirt within which it comes down (m)
_HASTE = 3.0  # factor of the motion along the table; dirt need not be met exactly


class WipeExpert:
    """Wipes all the dirt away. It is told which dirt is left, which policies have to see."""

    def __init__(self, env: ObjectPoses) -> None:
        self._env, self._settings = env, ReachSettings()

    def reset(self, instruction: str | None = None) -> None:
        """Does nothing: the expert is stateless."""

    def act(self, observation: Mapping[str, Any]) -> NDArray[np.float32]:
        """The next action.

        Args:
            observation: its "state" is float32 [7]: position (m), quaternion xyzw.

        Returns:
            float32 [6]: translation and rotation vector, each in [-1, 1]. Free of noise.
        """
        state = np.asarray(observation["state"], np.float64)
        to_dirt = self._dirt() - state[:3]
        distances = np.hypot(to_dirt[:, 0], to_dirt[:, 1])
        nearest, distance = to_dirt[distances.argmin()], float(distances.min())
        height = -nearest[2]
        motion = nearest * [_HASTE, _HASTE, 1.0]
        motion[2] += -_PRESS if height < _DOWN or distance < _ABOVE else _HOVER
        return self._settings.command(motion, rotation_of(state[3:7]), 0.0, False)[:6]

    def _dirt(self) -> NDArray[np.float64]:
        """Where dirt is left, [N, 3] (m); of a clean table, where the last of it was."""
        simulator = self._env.simulator
        markers = simulator.model.mujoco_arena.markers
        left = [marker for marker in markers if marker not in simulator.wiped_markers] or markers[-1:]
        return np.stack([self._env.body_pose(marker.root_body)[0] for marker in left])


TASK = RobosuiteTask(
    class_name="Wipe", instruction="wipe the dirt off the table", expert=WipeExpert, gripper=False, horizon=300
)

"""Lifting a pot by its two handles, and its scripted expert: each arm grasps a handle, then both lift.

The expert has no timers and no memory: what each arm does follows from the pose of the pot and from both grippers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodio.envs.robosuite.reaching import ReachSettings, rotation_of, yaw_to_hold
from embodio.envs.robosuite.task import ObjectPoses, RobosuiteTask

_HANDLES = np.array([[0.0, 0.16, 0.06], [0.0, -0.16, 0.06]])  # in the frame of the pot (m)
_HELD, _EMPTY = 0.026, 0.012  # finger distance below which they hold a handle, which is 2 cm thick, or nothing (m)
_LIFT = 0.05  # how far above the present height the grippers strive (m)
_SETTINGS = ReachSettings(near=0.015)


class TwoArmLiftExpert:
    """Lifts the pot. It reads poses from the simulator, which policies cannot."""

    def __init__(self, env: ObjectPoses) -> None:
        self._env = env

    def reset(self, instruction: str | None = None) -> None:
        """Does nothing: the expert is stateless."""

    def act(self, observation: Mapping[str, Any]) -> NDArray[np.float32]:
        """The next action.

        Args:
            observation: its "state" is float32 [18], of each arm: position (m), quaternion xyzw, finger positions (m).

        Returns:
            float32 [14], for each arm: translation, rotation vector, gripper; each in [-1, 1]. Free of noise.
        """
        arms = np.split(np.asarray(observation["state"], np.float64), 2)
        position, rotation = self._env.body_pose("pot")
        grasps = [position + rotation @ handle for handle in _HANDLES]
        reached = [self._reached(arm, grasp, rotation) for arm, grasp in zip(arms, grasps, strict=True)]
        held = all(now and arm[7] - arm[8] < _HELD for now, arm in zip(reached, arms, strict=True))
        parts = []
        for arm, grasp, close in zip(arms, grasps, reached, strict=True):
            gripper, motion = rotation_of(arm[3:7]), grasp - arm[:3]
            yaw = yaw_to_hold(gripper, rotation, np.pi, axis=1)
            if held:
                motion, yaw = np.array([0.0, 0.0, _LIFT]), 0.0
            elif not close:
                motion[2] += _SETTINGS.height(motion, abs(yaw), float(arm[7] - arm[8]))
            parts.append(_SETTINGS.command(motion, gripper, yaw, close))
        return np.concatenate(parts)

    @staticmethod
    def _reached(arm: NDArray[np.float64], grasp: NDArray[np.float64], rotation: NDArray[np.float64]) -> bool:
        """Whether the handle is between the fingers of an arm."""
        yaw = yaw_to_hold(rotation_of(arm[3:7]), rotation, np.pi, axis=1)
        return _SETTINGS.may_close(grasp - arm[:3], yaw, float(arm[7] - arm[8]), _EMPTY)


TASK = RobosuiteTask(
    class_name="TwoArmLift", instruction="lift the pot with both arms", expert=TwoArmLiftExpert, arms=2
)

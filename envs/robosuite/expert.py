"""The scripted expert of a task, for every arm and every control."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodio.envs.policy import Policy
from embodio.envs.robosuite.arm import Arm
from embodio.envs.robosuite.controls import CONTROLS
from embodio.envs.robosuite.controls.osc_pose import METRES_PER_UNIT, RADIANS_PER_UNIT
from embodio.envs.robosuite.embodiments import DEFAULT_CONTROL, DEFAULT_ROBOT
from embodio.envs.robosuite.env import RobosuiteEnv
from embodio.envs.robosuite.robots import ROBOTS

_OPEN = 0.08  # distance of the Panda's open fingers (m)
_CLOSING = 0.074  # the largest one at which experts take them to be closing (m)
_NEARLY = 0.9  # of the widest distance


def expert_of(env: RobosuiteEnv) -> Policy:
    """The scripted expert of the task of an environment."""
    expert = env.task.expert(env)
    usual = (env.robot, env.control, env.task.arms) == (DEFAULT_ROBOT, DEFAULT_CONTROL, 1)
    return expert if usual else TranslatedExpert(env, expert)


class TranslatedExpert:
    """An expert of Panda arms under delta control, in other arms and under other controls.

    The expert is told of each arm what a Panda's state would be, and its motions, which are those of the gripper in the
    world, become actions of the control at hand.
    """

    def __init__(self, env: RobosuiteEnv, expert: Policy) -> None:
        self._env, self._expert = env, expert

    def reset(self, instruction: str | None = None) -> None:
        """Begins an episode."""
        self._expert.reset(instruction=instruction)

    def act(self, observation: Mapping[str, Any]) -> NDArray[np.float32]:
        """The next action, float32 [A], within its limits and free of noise."""
        env = self._env
        arms, control = env.arms(), CONTROLS[env.control]
        told = np.concatenate([self._told(arm) for arm in arms])
        asked = np.asarray(self._expert.act({**observation, "state": told.astype(np.float32)}), np.float64)
        numbers = []
        for arm, part in zip(arms, np.split(asked, len(arms)), strict=True):
            motion = control.moved(arm.pose(), METRES_PER_UNIT * part[:3], RADIANS_PER_UNIT * part[3:6])
            numbers += [motion, part[6:]]
        space = env.action_space
        return np.clip(np.concatenate(numbers), space.low, space.high).astype(np.float32)  # type: ignore[attr-defined]

    def _told(self, arm: Arm) -> NDArray[np.float64]:
        """The state of a Panda that is where an arm is."""
        state = arm.state(fingers=False, joints=False)
        if not self._env.task.gripper:
            return state
        robot = ROBOTS[self._env.robot]
        opening = arm.between_pads() - robot.pads
        told = _OPEN if opening > _NEARLY * robot.widest else min(opening, _CLOSING)
        return np.append(state, [told / 2, -told / 2])

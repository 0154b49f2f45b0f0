"""VimaOracle: the oracle of VIMA's benchmark as an expert, which knows the goals and all object poses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodio.envs.errors import SimulatorError
from embodio.envs.vima.benchmark import errors_as_simulator_error
from embodio.envs.vima.env import VimaEnv
from embodio.envs.vima.robot import TOOLS, to_actions


class VimaOracle:
    """Takes every action from the benchmark's own oracle."""

    def __init__(self, env: VimaEnv) -> None:
        """Enables the oracle's auxiliary goals in the environment."""
        self._env = env
        env.oracle_goals = True
        self._oracle: Any = None

    def reset(self, instruction: Any = None) -> None:
        """Begins an episode; the instruction is ignored, as the oracle reads the scene."""
        self._oracle = self._env.benchmark.task.oracle(self._env.benchmark)

    def act(self, observation: Any) -> NDArray[np.float32]:
        """The next action, float32 [7].

        Raises:
            SimulatorError: the oracle sees nothing to pick, or fails.
        """
        with errors_as_simulator_error("asking the oracle"), self._env.benchmark.world.at_work():
            parts = self._oracle.act(observation)
        if parts is None:
            raise SimulatorError("the oracle sees nothing to pick; leave this seed out")
        action = to_actions(parts, TOOLS[int(observation["state"][0])])
        space: Any = self._env.action_space
        return np.clip(action, space.low, space.high)

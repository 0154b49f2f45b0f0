"""The oracle of VIMA's benchmark as an expert; it knows the goals and where all objects are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodio.envs.errors import SimulatorError
from embodio.envs.vima.benchmark import errors_as_simulator_error
from embodio.envs.vima.env import VimaEnv
from embodio.envs.vima.robot import TOOLS, to_actions


class VimaOracle:
    """Asks the benchmark's own oracle for every action."""

    def __init__(self, env: VimaEnv) -> None:
        """Takes the environment, in which it makes the oracle's auxiliary goals count."""
        self._env = env
        env.oracle_goals = True
        self._oracle: Any = None

    def reset(self, instruction: Any = None) -> None:
        """Begins an episode; it looks at the scene, not at the instruction."""
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

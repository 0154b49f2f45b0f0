"""ScriptedExpert: Meta-World's own scripted policies, which know the poses of all objects."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodio.envs.metaworld.env import MetaworldEnv


class ScriptedExpert:
    """Takes every action from the scripted policy of the task that is being played, clipped to the limits."""

    def __init__(self, env: MetaworldEnv) -> None:
        self._env = env
        self._policies: dict[str, Any] = {}

    def reset(self, instruction: str | None = None) -> None:
        """Begins an episode; the instruction is ignored, as the environment knows the task."""
        task = self._env.task
        if task not in self._policies:
            self._policies[task] = importlib.import_module("metaworld.policies").ENV_POLICY_MAP[f"{task}-v3"]()

    def act(self, observation: Any) -> NDArray[np.float32]:
        """The next action, float32 [4], for the present state of the environment."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the policies warn of components above 1, which are clipped
            action = self._policies[self._env.task].get_action(self._env.simulator.observation)
        return np.clip(action, -1.0, 1.0).astype(np.float32)

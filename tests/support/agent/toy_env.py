"""A gymnasium environment without a simulator: the toy robot, whose pictures show what it did."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from embodio.envs.instruction_space import Instruction
from tests.support.agent.policies import make_embodiment


class ToyEnv(gymnasium.Env[dict[str, Any], np.ndarray]):
    """Its state follows the actions, its pictures the state, and each episode has another length and instruction."""

    def __init__(self) -> None:
        self.embodiment = make_embodiment()
        dimensions = self.embodiment.action.dimensions
        low, high = (np.array([getattr(d, end) for d in dimensions], np.float32) for end in ("low", "high"))
        self.action_space = spaces.Box(low, high, dtype=np.float32)
        pixels = spaces.Box(0, 255, (128, 128, 3), np.uint8)
        state = spaces.Box(np.float32(-10), np.float32(10), (2,), np.float32)
        self.observation_space = spaces.Dict(
            {"front": pixels, "hand": pixels, "state": state, "instruction": Instruction()}
        )

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        self._left = int(self.np_random.integers(2, 6))
        self._words = f"push block {self._left}"
        self._state = np.array([1.0, 0.04], np.float32)
        return self._observe(), {}

    def step(self, action: np.ndarray) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        self._left -= 1
        self._state = np.clip(self._state + 0.01 * action[:2], [0, 0], [2, 0.08]).astype(np.float32)
        return self._observe(), 0.0, self._left == 0, False, {}

    def _observe(self) -> dict[str, Any]:
        front = np.full((128, 128, 3), int(100 * self._state[0]), np.uint8)
        front[10:40, 10 : 20 + self._left] = 250
        hand = np.full((128, 128, 3), int(2000 * self._state[1]), np.uint8)
        return {"front": front, "hand": hand, "state": self._state, "instruction": self._words}

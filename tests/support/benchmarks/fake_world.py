"""A world without a simulator, in which the seed decides how an episode ends."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces

from embodio.envs import SimulatorError

OUTCOMES = {0: "success", 1: "success", 2: "failure", 3: "timeout", 4: "error", 5: "success"}


class FakeEnv(gymnasium.Env[dict[str, Any], np.ndarray]):
    """Episodes of three steps; `seed % 6` says how they end, see `OUTCOMES`."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 20}
    embodiment = "a fake arm"

    def __init__(self, horizon: int = 3, cameras: bool = True, render_mode: str | None = None) -> None:
        self.horizon, self.cameras, self.render_mode = horizon, cameras, render_mode
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.observation_space = spaces.Dict({"state": spaces.Box(-1.0, 1.0, (1,), np.float32)})
        self.outcome, self.steps = "", 0
        self.closed = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.outcome, self.steps = OUTCOMES[(seed or 0) % 6], 0
        return self._observe(), {"success": False}

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        if self.outcome == "error" and self.steps == 2:
            raise SimulatorError("the <world> fell apart & burned")
        last = self.steps >= self.horizon
        success = last and self.outcome == "success"
        terminated = last and self.outcome in ("success", "failure")
        return self._observe(), float(success), terminated, last and not terminated, {"success": success}

    def render(self) -> np.ndarray:
        return np.full((32, 48, 3), 20 * self.steps, np.uint8)

    def close(self) -> None:
        self.closed = True

    def _observe(self) -> dict[str, Any]:
        return {"state": np.zeros(1, np.float32), "instruction": "lift the cube"}


class FakePolicy:
    """Does nothing. `interrupt_at` raises KeyboardInterrupt at the beginning of that episode, counted from 0."""

    def __init__(self, interrupt_at: int | None = None) -> None:
        self.instructions: list[str | None] = []
        self.interrupt_at = interrupt_at

    def reset(self, instruction: str | None = None) -> None:
        if len(self.instructions) == self.interrupt_at:
            raise KeyboardInterrupt
        self.instructions.append(instruction)

    def act(self, observation: Any) -> np.ndarray:
        return np.zeros(2, np.float32)

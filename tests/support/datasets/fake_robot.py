"""A robot that costs nothing: two small cameras, a plane to move in, and an expert that fails where it is told to."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from embodio.envs.embodiment import ActionSpec, Camera, Dimension, Embodiment
from embodio.envs.errors import SimulatorError

HORIZON = 8
GOAL_DISTANCE = 0.05


def fake_embodiment() -> Embodiment:
    """Two continuous action dimensions of unequal range and a binary one; two state dimensions; two cameras."""
    dimensions = (
        Dimension("x", "m", -1.0, 1.0),
        Dimension("y", "m", -0.5, 0.5),
        Dimension("gripper", "1", -1.0, 1.0, "binary"),
    )
    return Embodiment(
        name="fake/plane",
        action=ActionSpec(dimensions, "delta", "base", "none", "closed_is_high", "direct"),
        state=(Dimension("x", "m", -10.0, 10.0), Dimension("y", "m", -10.0, 10.0)),
        cameras=(Camera("front", 8, 12), Camera("wrist", 16, 16)),
        microphone=None,
        control_hz=10.0,
    )


class FakeEnv(gymnasium.Env[dict[str, Any], np.ndarray]):
    """A point that must come to the origin within `HORIZON` steps."""

    def __init__(self, source: FakeSource) -> None:
        self.embodiment = fake_embodiment()
        self._source = source
        self._seed = 0
        self._steps = 0
        self._position = np.zeros(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict[str, Any], dict]:
        super().reset(seed=seed)
        self._seed, self._steps = int(seed or 0), 0
        self._position = self.np_random.uniform(-1, 1, 2)
        return self._observe(), {"success": False}

    def step(self, action: np.ndarray) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        time.sleep(self._source.seconds_per_step)
        self._steps += 1
        broken = self._source.broken_seeds
        if self._seed in broken and not (self._source.repaired and Path(self._source.repaired).exists()):
            raise SimulatorError(f"seed {self._seed} broke the simulator")
        if self._seed in self._source.deadly_seeds:
            os._exit(1)
        self._position = self._position + np.asarray(action)[:2]
        success = bool(np.abs(self._position).max() < GOAL_DISTANCE)
        return self._observe(), float(success), success, self._steps >= HORIZON, {"success": success}

    def _observe(self) -> dict[str, Any]:
        pixels = np.random.default_rng([self._seed, self._steps])
        images = {
            camera.name: pixels.integers(0, 256, (camera.height, camera.width, 3), np.uint8)
            for camera in self.embodiment.cameras
        }
        return {**images, "state": self._position.astype(np.float32), "instruction": "move to the centre"}


class FakeExpert:
    """Walks to the origin, except where the seed says that it stays away."""

    def __init__(self, source: FakeSource) -> None:
        self._source = source

    def reset(self, instruction: str | None = None) -> None:
        self.instruction = instruction

    def act(self, observation: Mapping[str, Any]) -> np.ndarray:
        step = np.clip(-observation["state"], [-1.0, -0.5], [1.0, 0.5])
        return np.array([*(step * self._source.eagerness), 1.0], dtype=np.float32)


@dataclass(frozen=True)
class FakeSource:
    """Builds the fake robot in a worker process.

    Attributes:
        broken_seeds: whose simulator breaks down, until the file `repaired` exists.
        deadly_seeds: that kill the process.
        eagerness: 1.0 reaches the goal; 0.0 never moves.
        seconds_per_step: to have time to interrupt.
    """

    broken_seeds: tuple[int, ...] = ()
    repaired: str = ""
    deadly_seeds: tuple[int, ...] = ()
    eagerness: float = 1.0
    seconds_per_step: float = 0.0

    @property
    def embodiment(self) -> Embodiment:
        return fake_embodiment()

    @property
    def prompts(self) -> bool:
        return False

    def build(self) -> tuple[FakeEnv, FakeExpert]:
        return FakeEnv(self), FakeExpert(self)

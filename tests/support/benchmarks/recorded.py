"""An environment with a camera and a policy that moves in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from embodio.envs.embodiment import ActionSpec, Camera, Dimension, Embodiment
from tests.support.benchmarks.fake_world import FakeEnv, FakePolicy

EMBODIMENT = Embodiment(
    "fake/arm",
    ActionSpec(
        (Dimension("x", "m", -1.0, 1.0), Dimension("y", "m", -1.0, 1.0)), "delta", "base", "none", "none", "none"
    ),
    (Dimension("angle", "rad", -1.0, 1.0),),
    (Camera("front", 8, 12),),
    None,
    20.0,
)


class SeeingEnv(FakeEnv):
    """The fake world with a camera that counts the steps."""

    embodiment = EMBODIMENT  # type: ignore[assignment]

    def _observe(self) -> dict[str, Any]:
        return super()._observe() | {"front": np.full((8, 12, 3), 40 * self.steps, np.uint8)}


class MovingPolicy(FakePolicy):
    """Acts with the number of its call."""

    calls = 0

    def act(self, observation: Any) -> np.ndarray:
        self.calls += 1
        return np.array([self.calls, -1], np.float32) / 100


class ExpertEnv(SeeingEnv):
    """The same with an expert of its own, so that other processes can play it by its name."""

    def expert(self) -> MovingPolicy:
        return MovingPolicy()


EXPERT_ENV = f"{__name__}:{ExpertEnv.__name__}"

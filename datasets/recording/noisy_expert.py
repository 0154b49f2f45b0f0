"""An expert whose executed actions are disturbed.

Disturbed execution with clean labels shows a policy how to recover from states that the expert alone never visits
(DART: Laskey et al. 2017).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.envs.embodiment import Embodiment
from embodio.envs.policy import Policy

_NOISE_STREAM = 1  # second half of the noise seed, so that noise and scene are drawn from unrelated streams


class NoisyExpert:
    """An expert whose executed actions are disturbed with Gaussian noise.

    Attributes:
        clean: the last action of the expert itself, float32 [A].
        executed: the same with noise, clipped to the limits, float32 [A].
        takeover: number of steps that a learner plays before it.
        leads: whether a learner gave the last action.
        lost: whether it had nothing to say where a learner had got to.
    """

    takeover: int = 0
    leads: bool = False
    lost: bool = False

    def __init__(self, expert: Policy, embodiment: Embodiment, level: float, seed: int) -> None:
        """Wraps an expert for one episode.

        Args:
            expert: gives the clean actions.
            embodiment: says which dimensions are continuous (binary ones are never disturbed) and their limits.
            level: standard deviation of the noise, as a fraction of half the range of each dimension.
            seed: of the noise.
        """
        dimensions = embodiment.action.dimensions
        self._expert = expert
        low = np.array([dimension.low for dimension in dimensions], dtype=np.float64)
        high = np.array([dimension.high for dimension in dimensions], dtype=np.float64)
        # the outermost float32 numbers that are still inside
        self._low = np.where(low.astype(np.float32) < low, np.nextafter(np.float32(low), np.inf), np.float32(low))
        self._high = np.where(high.astype(np.float32) > high, np.nextafter(np.float32(high), -np.inf), np.float32(high))
        continuous = np.array([dimension.kind == "continuous" for dimension in dimensions])
        self._scale = level * continuous * (high - low) / 2
        self._random = np.random.default_rng([seed, _NOISE_STREAM])
        self.clean = np.zeros(len(dimensions), dtype=np.float32)
        self.executed = self.clean

    def reset(self, instruction: str | None = None) -> None:
        """Begins an episode."""
        self._expert.reset(instruction=instruction)

    def act(self, observation: Mapping[str, Any]) -> npt.NDArray[np.float32]:
        """Returns the disturbed action, float32 [A]; both actions can be read from the attributes afterwards."""
        self.clean = np.array(self._expert.act(observation), dtype=np.float32)
        noise = self._scale * self._random.standard_normal(len(self.clean))
        self.executed = np.clip((self.clean + noise).astype(np.float32), self._low, self._high)
        return self.executed

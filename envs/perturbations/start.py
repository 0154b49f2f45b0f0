"""start: before the policy acts, the robot has moved away from where it usually begins."""

from __future__ import annotations

from typing import Any

import numpy as np

from embodio.envs.perturbing.perturbation import Perturbation, Step
from embodio.envs.perturbing.still import open_value

_SHARE = (0.2, 0.4, 0.6, 0.8, 1.0)
_STEPS = 4


class OtherStart(Perturbation):
    """Four steps with one random action, of 20, 40, 60, 80 or 100 percent of the range; the gripper stays open.

    They count as steps of the episode towards its horizon.
    """

    needs_numbers = True

    def start(self, step: Step) -> Any | None:
        """Moves the robot."""
        embodiment, random = self.episode.embodiment, self.episode.random
        values = []
        for dimension in embodiment.action.dimensions:
            drawn = random.uniform(-1.0, 1.0)
            middle, half = (dimension.high + dimension.low) / 2, (dimension.high - dimension.low) / 2
            moved = middle + self.pick(_SHARE) * half * drawn
            values.append(open_value(embodiment, dimension) if dimension.kind == "binary" else moved)
        action = np.array(values, np.float32)
        observation = None
        for _ in range(_STEPS):
            observation = step(action)
        return observation


PERTURBATION = OtherStart

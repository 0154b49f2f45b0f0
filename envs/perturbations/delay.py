"""delay: actions are executed some steps after the policy has given them."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from embodio.envs.perturbing.perturbation import Perturbation, PerturbedEpisode
from embodio.envs.perturbing.still import still_action


class DelayedActions(Perturbation):
    """1, 2, 3, 4 or 5 steps; until the first action arrives, the robot keeps still."""

    needs_numbers = True

    def __init__(self, episode: PerturbedEpisode) -> None:
        """Begins with nothing on its way."""
        super().__init__(episode)
        self._waiting: deque[NDArray[np.float32]] = deque()

    def action(self, action: NDArray[np.float32]) -> NDArray[np.float32]:
        """The action of some steps ago."""
        self._waiting.append(action.copy())
        if len(self._waiting) <= self.episode.level:
            return still_action(self.episode.embodiment, action)
        return self._waiting.popleft()


PERTURBATION = DelayedActions

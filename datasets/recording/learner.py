"""Corrections of a learner: it plays the first steps of an episode, and then the expert takes over.

So demonstrations begin where the learner gets to by itself, and the next training learns the way back from there
(DAgger: Ross et al. 2011; with an expert that keeps the control, HG-DAgger: Kelly et al. 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.recording.noisy_expert import NoisyExpert
from embodio.envs.embodiment import Embodiment
from embodio.envs.errors import SimulatorError
from embodio.envs.policy import Policy

_TAKEOVER_STREAM = 2  # second half of the seed; the noise has 1


@dataclass(frozen=True)
class Learner:
    """Who plays before the expert takes over, and for how long.

    Attributes:
        name: of the learner, such as its checkpoint.
        load: makes it for a robot, in a worker process; must be picklable.
        takeover: highest number of steps that it plays; each episode draws its own, from 0 on.
        recorded: whether its steps are recorded, labelled with the expert's actions. Labels of several steps ahead
            do not belong together there, as the learner goes another way; so only for formats of one action.
        abstains: errors by which it refuses to act; the expert then takes over at once.
    """

    name: str
    load: Callable[[Embodiment], Policy]
    takeover: int
    recorded: bool = False
    abstains: tuple[type[Exception], ...] = ()


class CorrectingExpert(NoisyExpert):
    """An expert that says what it would do in every step, and takes over from a learner after some of them."""

    def __init__(
        self, expert: Policy, embodiment: Embodiment, level: float, seed: int, player: Policy, learner: Learner
    ) -> None:
        """Wraps an expert for one episode; see `NoisyExpert`.

        Args:
            expert: gives the clean actions, and plays from the takeover on.
            embodiment: of the robot.
            level: of the noise on the expert's actions.
            seed: of the noise and of the takeover.
            player: the learner, which plays until then.
            learner: how long it may play, and how it refuses to.
        """
        super().__init__(expert, embodiment, level, seed)
        self.takeover = int(np.random.default_rng([seed, _TAKEOVER_STREAM]).integers(learner.takeover + 1))
        self._player, self._abstains = player, learner.abstains
        self._steps = 0

    def reset(self, instruction: str | None = None) -> None:
        """Begins an episode of both."""
        super().reset(instruction)
        self._player.reset(instruction=instruction)

    def act(self, observation: Mapping[str, Any]) -> npt.NDArray[np.float32]:
        """Returns the action of whose turn it is, float32 [A]; `clean` is the expert's in any case.

        Raises:
            SimulatorError: the expert has nothing to say here, such as a bot without a plan.
        """
        try:
            super().act(observation)
        except SimulatorError:
            self.lost = min(self._steps, self.takeover) > 0
            raise
        self.leads = self._steps < self.takeover
        if self.leads:
            try:
                self.executed = np.array(self._player.act(observation), dtype=np.float32)
            except self._abstains:
                self.leads, self.takeover = False, self._steps
        self._steps += 1
        return self.executed

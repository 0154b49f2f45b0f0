"""Perturbation: one way in which an episode differs from what a policy was trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from embodio.envs.embodiment import Embodiment
from embodio.envs.perturbing.mujoco_world import HasMujocoWorld, MujocoWorld

LEVELS = (1, 2, 3, 4, 5)

Step = Callable[[NDArray[np.float32]], Any]
"""Executes an action and returns the observation after it."""


@dataclass(frozen=True)
class PerturbedEpisode:
    """What a perturbation knows about its episode.

    Attributes:
        env: name of the environment.
        embodiment: of the robot.
        seed: of the episode.
        level: how strong the perturbation is, 1 to 5.
        random: drawn from (seed, name of the perturbation) alone, so that a higher level is the same change, stronger.
    """

    env: str
    embodiment: Embodiment
    seed: int
    level: int
    random: np.random.Generator


class Perturbation:
    """One perturbation of one episode; each method that is not overridden changes nothing.

    Attributes:
        needs_mujoco: whether it changes a MuJoCo scene, so that the environment must give one.
        needs_numbers: whether it changes actions, which have to be numbers for that, not words.
        training_levels: highest level that is drawn for domain randomisation; what is above is held out.
    """

    needs_mujoco: ClassVar[bool] = False
    needs_numbers: ClassVar[bool] = False
    training_levels: ClassVar[int] = 5

    @classmethod
    def lacks(cls, env: gymnasium.Env[Any, Any]) -> str:
        """Why it cannot be in an environment; "" if it can."""
        embodiment: Embodiment = env.get_wrapper_attr("embodiment")
        if cls.needs_mujoco and not isinstance(env.unwrapped, HasMujocoWorld):
            return "the environment gives no MuJoCo scene (it has no method mujoco_world)"
        if cls.needs_numbers and any(dimension.words for dimension in embodiment.action.dimensions):
            return "actions are words here, not numbers"
        return ""

    def __init__(self, episode: PerturbedEpisode) -> None:
        """Draws whatever is fixed for the episode.

        Raises:
            EnvError: it does not know this environment.
        """
        self.episode = episode

    def scene(self, world: MujocoWorld) -> None:
        """Changes the scene, once it is reset."""

    def start(self, step: Step) -> Any | None:
        """Acts before the policy does; returns the observation after the last action, None without any."""
        return None

    def instruction(self, text: str) -> str:
        """The instruction that the policy is given."""
        return text

    def image(self, image: NDArray[np.uint8], camera: str, number: int) -> NDArray[np.uint8]:
        """What a camera shows, uint8 [H, W, 3], at observation `number` of the episode, counted from 0."""
        return image

    def action(self, action: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is executed when the policy gives `action`, float32 [A]."""
        return action

    def pick(self, values: tuple[float, float, float, float, float]) -> float:
        """The value of the level."""
        return values[self.episode.level - 1]

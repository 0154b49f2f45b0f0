"""PerturbedEnv: an environment whose episodes are perturbed, each as its seed says."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from embodio.envs.embodiment import Embodiment
from embodio.envs.errors import EnvError
from embodio.envs.interleaved_prompt import InterleavedPrompt, as_text, interleave
from embodio.envs.perturbations import PERTURBATIONS
from embodio.envs.perturbing.conditions import PerturbationError, levels
from embodio.envs.perturbing.mujoco_world import HasMujocoWorld, MujocoWorld, Nominal
from embodio.envs.perturbing.perturbation import Perturbation, PerturbedEpisode

_LEVEL_STREAM = 2  # part of the seed of the levels of domain randomisation

Env = gymnasium.Env[Any, Any]


class PerturbedEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment under perturbations, which are pure functions of the seed of an episode.

    With the same seed the scene, the noise and the words are the same, whatever happened before.
    """

    def __init__(self, env: Env, name: str, condition: str, randomise: bool = False) -> None:
        """Wraps an environment.

        Args:
            env: what is perturbed.
            name: its name.
            condition: perturbations that are applied together, with levels, such as "camera:3+light:3".
            randomise: draw the level of each perturbation for every episode, from 0 (none) to that given, for
                training; what is held out for evaluation is never drawn.

        Raises:
            PerturbationError: a perturbation is not known, or the environment cannot have it.
        """
        super().__init__(env)
        self._name, self._randomise = name, randomise
        self._levels = levels(condition)
        missing = {one: why for one, kind in PERTURBATIONS.items() if (why := kind.lacks(env))}
        for one in self._levels:
            if one in missing:
                possible = ", ".join(other for other in PERTURBATIONS if other not in missing)
                raise PerturbationError(f"{name} cannot have {one}: {missing[one]}. It can have {possible}")
        self._nominal: Nominal | None = None
        self._active: list[Perturbation] = []
        self._seen = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begins an episode; see the environment's own `reset`.

        Raises:
            PerturbationError: a perturbation does not know this environment.
        """
        world = self._world() if self._nominal is not None else None
        if world is not None and self._nominal is not None:
            self._nominal.restore(world)
        observation, info = self.env.reset(seed=seed, options=options)
        used = int(self.env.unwrapped.np_random.integers(2**31)) if seed is None else seed
        self._active, self._seen = self._drawn(used), 0
        for one in self._active:
            moved = one.start(lambda action: self.env.step(action)[0])
            observation = observation if moved is None else moved
        if any(one.needs_mujoco for one in self._active):
            observation = self._change_scene()
        return self._perceived(observation), info

    def step(self, action: NDArray[np.float32]) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Executes one action; see the environment's own `step`."""
        for one in self._active:
            action = one.action(np.asarray(action, np.float32))
        observation, reward, terminated, truncated, info = self.env.step(action)
        return self._perceived(observation), float(reward), terminated, truncated, info

    def _drawn(self, seed: int) -> list[Perturbation]:
        """The perturbations of an episode."""
        embodiment: Embodiment = self.env.get_wrapper_attr("embodiment")
        made = []
        for name, highest in self._levels.items():
            stream, kind = zlib.crc32(name.encode()), PERTURBATIONS[name]
            level = highest
            if self._randomise:
                generator = np.random.default_rng([seed, stream, _LEVEL_STREAM])
                level = int(generator.integers(0, min(highest, kind.training_levels) + 1))
            if level:
                random = np.random.default_rng([seed, stream])
                made.append(kind(PerturbedEpisode(self._name, embodiment, seed, level, random)))
        return made

    def _world(self) -> MujocoWorld | None:
        """The simulation, unless it broke down since."""
        env = self.env.unwrapped
        try:
            world = env.mujoco_world() if isinstance(env, HasMujocoWorld) else None
        except EnvError:
            return None
        return world if world is not None and self._nominal is not None and world.model is self._nominal.model else None

    def _change_scene(self) -> Any:
        """Changes the scene; returns what is observed in it."""
        import mujoco

        env = self.env.unwrapped
        if not isinstance(env, HasMujocoWorld):
            raise PerturbationError(f"{self._name} gives no MuJoCo scene")
        world = env.mujoco_world()
        if self._nominal is None or self._nominal.model is not world.model:
            self._nominal = Nominal(world.model)
        for one in self._active:
            one.scene(world)
        self._nominal.note(world)
        mujoco.mj_camlight(world.model, world.data)
        return world.observe()

    def _perceived(self, observation: Mapping[str, Any]) -> dict[str, Any]:
        """What the policy is given of an observation."""
        embodiment: Embodiment = self.env.get_wrapper_attr("embodiment")
        changed = dict(observation)
        for one in self._active:
            for camera in embodiment.cameras:
                if camera.name in changed:
                    changed[camera.name] = one.image(changed[camera.name], camera.name, self._seen)
            changed["instruction"] = _in_other_words(one, changed["instruction"])
        self._seen += 1
        return changed


def _in_other_words(one: Perturbation, instruction: str | InterleavedPrompt) -> str | InterleavedPrompt:
    """An instruction as a perturbation says it; its pictures, if it has some, stay where the words want them."""
    if isinstance(instruction, str):
        return one.instruction(instruction)
    text, images = as_text(instruction)
    return interleave(one.instruction(text), images)

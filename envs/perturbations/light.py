"""light: all lights are darker or brighter, slightly tinted, and shine from another direction."""

from __future__ import annotations

import numpy as np

from embodio.envs.perturbing.mujoco_world import MujocoWorld
from embodio.envs.perturbing.perturbation import Perturbation

_FACTOR = (1.2, 1.5, 2.0, 3.0, 4.0)
_TINT = (0.02, 0.04, 0.06, 0.1, 0.15)  # deviation of the logarithm of each channel
_TILT = (0.05, 0.1, 0.2, 0.3, 0.5)  # added to the unit direction, per axis


class OtherLight(Perturbation):
    """1.2, 1.5, 2, 3 or 4 times as bright, or as dark."""

    needs_mujoco = True

    def scene(self, world: MujocoWorld) -> None:
        """Changes lamps and headlight alike."""
        random, model = self.episode.random, world.model
        darker = random.random() < 0.5
        factor = self.pick(_FACTOR) ** (-1 if darker else 1)
        channels = factor * np.exp(self.pick(_TINT) * random.standard_normal(3))
        tilt = self.pick(_TILT) * random.uniform(-1, 1, 3)
        headlight = model.vis.headlight
        for colours in (model.light_diffuse, model.light_ambient, headlight.diffuse, headlight.ambient):
            colours[...] = np.clip(colours * channels, 0.0, 1.0)
        model.light_dir[...] = model.light_dir + tilt
        model.light_dir[...] /= np.linalg.norm(model.light_dir, axis=1, keepdims=True)


PERTURBATION = OtherLight

"""texture: tables, walls and floor are covered with random patches of colour."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from embodio.envs.perturbing.mujoco_world import MujocoWorld
from embodio.envs.perturbing.perturbation import Perturbation

_SHARE = (0.15, 0.3, 0.5, 0.75, 1.0)
_PATCHES = 6  # along each edge of a texture


class PaintedSurfaces(Perturbation):
    """15, 30, 50, 75 or 100 percent of the colour comes from the patches."""

    needs_mujoco = True

    def scene(self, world: MujocoWorld) -> None:
        """Paints textures, and surfaces without texture in one colour."""
        random, share, surfaces = self.episode.random, self.pick(_SHARE), world.surfaces()
        of_objects = world.textures_of(world.geoms_of(world.objects()))
        for number in world.textures_of(surfaces):
            old, pattern = world.texture(number), _pattern(random, world.texture(number).shape)
            if number not in of_objects:
                world.repaint(number, np.rint((1 - share) * old + share * pattern).astype(np.uint8))
        for geom in surfaces:
            colour = random.random(3)
            if world.model.geom_matid[geom] < 0:
                world.model.geom_rgba[geom, :3] = (1 - share) * world.model.geom_rgba[geom, :3] + share * colour


def _pattern(random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Smooth patches of random colours, float32 [H, W, channels], 0 to 255."""
    height, width, channels = shape
    coarse = random.uniform(0, 255, (_PATCHES, _PATCHES, channels)).astype(np.float32)
    fine = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(fine, np.float32).reshape(shape)


PERTURBATION = PaintedSurfaces

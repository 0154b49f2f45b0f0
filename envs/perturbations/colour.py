"""colour: everything that can be moved has another hue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embodio.envs.perturbing.mujoco_world import MujocoWorld
from embodio.envs.perturbing.perturbation import Perturbation

_DEGREES = (20.0, 45.0, 90.0, 135.0, 180.0)


class OtherHue(Perturbation):
    """The hue is turned by 20, 45, 90, 135 or 180 degrees, in either direction; 120 makes red green or blue."""

    needs_mujoco = True

    def scene(self, world: MujocoWorld) -> None:
        """Turns textures, materials and plain colours."""
        degrees = self.pick(_DEGREES) * (1 if self.episode.random.random() < 0.5 else -1)
        turn = _turn(np.deg2rad(degrees))
        geoms = world.geoms_of(world.objects())
        of_surfaces = world.textures_of(world.surfaces())
        for number in world.textures_of(geoms):
            pixels = world.texture(number)
            if number not in of_surfaces and pixels.shape[2] >= 3:
                turned = pixels.copy()
                turned[..., :3] = np.rint(np.clip(pixels[..., :3] @ turn.T, 0, 255))
                world.repaint(number, turned)
        materials, model = world.materials_of(geoms), world.model
        model.mat_rgba[materials, :3] = np.clip(model.mat_rgba[materials, :3] @ turn.T, 0, 1)
        model.geom_rgba[geoms, :3] = np.clip(model.geom_rgba[geoms, :3] @ turn.T, 0, 1)


def _turn(angle: float) -> NDArray[np.float32]:
    """The rotation of RGB [3, 3] about the axis of greys, which turns the hue by an angle (rad)."""
    cos, sin = np.cos(angle), np.sin(angle) / np.sqrt(3.0)
    third = (1 - cos) / 3
    rows = [[cos + third, third - sin, third + sin], [third + sin, cos + third, third - sin]]
    return np.array([*rows, [third - sin, third + sin, cos + third]], np.float32)


PERTURBATION = OtherHue

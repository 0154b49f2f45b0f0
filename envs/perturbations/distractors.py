"""distractors: other things lie around, which are seen and cannot be touched."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from embodio.envs.perturbing.mujoco_world import Decoration, MujocoWorld
from embodio.envs.perturbing.perturbation import Perturbation

_COUNT = (1, 2, 3, 5, 8)
_KINDS = ("box", "sphere", "cylinder", "ellipsoid")
_SIZE = (0.012, 0.025)  # half extents (m)
_CLEAR = 0.08  # from objects and each other (m)
_TRIES = 200
_ABOVE = 0.5  # where rays downward begin (m)
_SAME_HEIGHT = 0.15  # how far their surface may be above or below the objects (m)


class Distractors(Perturbation):
    """1, 2, 3, 5 or 8 shapes, where the first camera sees a free place next to the objects."""

    needs_mujoco = True

    def scene(self, world: MujocoWorld) -> None:
        """Puts the shapes down; fewer, if there is not enough room."""
        if not world.cameras:
            return
        random, places = self.episode.random, [world.data.xpos[body].copy() for body in world.objects()]
        heights = [place[2] for place in places]
        wanted = int(self.pick(_COUNT))
        for _ in range(_TRIES):
            kind = _KINDS[int(random.integers(len(_KINDS)))]
            size, heading = random.uniform(*_SIZE, 3), float(random.uniform(0, np.pi))
            rgba, spot = np.append(random.random(3), 1.0), random.uniform(-0.9, 0.9, 2)
            if len(world.decorations) == wanted:
                break
            found = _surface_seen(world, spot)
            if found is None or (heights and min(abs(found[2] - height) for height in heights) > _SAME_HEIGHT):
                continue
            if any(np.hypot(*(found - place)[:2]) < _CLEAR for place in places) or not _is_flat(world, found):
                continue
            places.append(found)
            size = np.full(3, size[0]) if kind == "sphere" else size
            up = size[1] if kind == "cylinder" else size[2]  # MuJoCo's second number of a cylinder is half its height
            world.decorations.append(Decoration(kind, size, found + np.array([0.0, 0.0, up]), heading, rgba))


def _surface_seen(world: MujocoWorld, spot: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The point [3] that the first camera sees at a place of its image, [2] from -1 to 1, if a surface is there."""
    name = next(iter(world.cameras.values()))
    camera = world.model.camera(name).id
    reach = np.tan(np.deg2rad(world.model.cam_fovy[camera]) / 2)
    direction = world.data.cam_xmat[camera].reshape(3, 3) @ np.array([*(spot * reach), -1.0])
    return _hit(world, world.data.cam_xpos[camera], direction / np.linalg.norm(direction))


def _hit(world: MujocoWorld, origin: NDArray[np.float64], direction: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Where a ray meets a visible surface first; None if it meets something else, or nothing."""
    import mujoco

    geom = np.zeros(1, np.int32)
    groups = np.array(world.groups, np.uint8)
    distance = mujoco.mj_ray(world.model, world.data, np.array(origin), np.array(direction), groups, 1, -1, geom)
    return np.asarray(origin + distance * direction) if distance >= 0 and int(geom[0]) in world.surfaces() else None


def _is_flat(world: MujocoWorld, place: NDArray[np.float64]) -> bool:
    """Whether a place and what is next to it lie at one height, with nothing above them."""
    for x, y in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)):
        above = place + np.array([x * _SIZE[1], y * _SIZE[1], _ABOVE])
        hit = _hit(world, above, np.array([0.0, 0.0, -1.0]))
        if hit is None or abs(hit[2] - place[2]) > 0.002:
            return False
    return True


PERTURBATION = Distractors

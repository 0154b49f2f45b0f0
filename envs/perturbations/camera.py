"""camera: every camera is moved and turned a little, in directions of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from embodio.envs.perturbing.mujoco_world import MujocoWorld
from embodio.envs.perturbing.perturbation import Perturbation

_METRES = (0.01, 0.02, 0.03, 0.05, 0.08)
_DEGREES = (1.0, 2.0, 3.0, 5.0, 8.0)


class MovedCameras(Perturbation):
    """1, 2, 3, 5 or 8 cm, and as many degrees about a random axis."""

    needs_mujoco = True

    def scene(self, world: MujocoWorld) -> None:
        """Moves the cameras."""
        import mujoco

        random = self.episode.random
        for name in sorted(world.cameras.values()):
            camera = world.model.camera(name).id
            direction, axis = (_unit(random.standard_normal(3)) for _ in range(2))
            world.model.cam_pos[camera] += self.pick(_METRES) * direction
            turn, turned = np.empty(4), np.empty(4)
            mujoco.mju_axisAngle2Quat(turn, axis, np.deg2rad(self.pick(_DEGREES)))
            mujoco.mju_mulQuat(turned, world.model.cam_quat[camera], turn)
            world.model.cam_quat[camera] = turned
            _follow(world.model, camera, self.pick(_METRES) * direction, turn)


def _follow(model: Any, camera: int, moved: np.ndarray, turn: np.ndarray) -> None:
    """Moves a camera that follows a body without turning with it, whose place MuJoCo keeps elsewhere.

    Args:
        model: the `mujoco.MjModel`.
        camera: its number.
        moved: translation [3] (m).
        turn: quaternion wxyz [4] in the frame of the camera.
    """
    import mujoco

    rotation = np.empty(9)
    mujoco.mju_quat2Mat(rotation, turn)
    model.cam_pos0[camera] += moved
    model.cam_poscom0[camera] += moved
    model.cam_mat0[camera] = (model.cam_mat0[camera].reshape(3, 3) @ rotation.reshape(3, 3)).ravel()


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


PERTURBATION = MovedCameras

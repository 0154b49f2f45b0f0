"""Photographer: a picture of a robosuite simulator as it is now, and all that is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.envs.robosuite import simulator as sim_tools
from embodio.model.example import Image

Floats = npt.NDArray[np.float64]
ROBOT = 100
"""Value of the arm in masks; thing i has i + 1, everything else 0."""


@dataclass(frozen=True, eq=False)
class Shot:
    """One picture and all that is known of it.

    Attributes:
        image: uint8 [H, W, 3].
        depth: float64 [H, W], m along the camera's axis.
        masks: uint8 [H, W], see `ROBOT`.
        names: of the things.
        positions: of the things in the world, [things, 3], m.
        columns: of the things in the image, as fractions of its width.
        gripper: its position in the world, [3], m.
        closed: whether it was told to close.
        pose: camera to world, [4, 4], OpenCV axes.
        intrinsics: [3, 3] in pixels.
    """

    image: Image
    depth: Floats
    masks: npt.NDArray[np.uint8]
    names: tuple[str, ...]
    positions: Floats
    columns: tuple[float, ...]
    gripper: Floats
    closed: bool
    pose: Floats
    intrinsics: Floats


class Photographer:
    """Photographs one simulator.

    Args:
        simulator: of robosuite, which renders.
        things: robosuite's names of the things.
    """

    def __init__(self, simulator: Any, things: tuple[str, ...]) -> None:
        self._simulator = simulator
        bodies = {item.name: item.root_body for item in simulator.model.mujoco_objects}
        self.bodies = [simulator.sim.model.body_name2id(bodies[name]) for name in things]
        self._owners = self._owner_of_each_geom(simulator.sim.model)

    def shot(self, camera: str, size: int, names: tuple[str, ...], closed: bool) -> Shot:
        """One picture.

        Args:
            camera: robosuite's name of it.
            size: pixels of a side.
            names: what the things are called.
            closed: whether the gripper was told to close.

        Raises:
            SimulatorError: it cannot be rendered.
        """
        simulator = self._simulator
        image = sim_tools.render(simulator, camera, size)
        depth, masks = self._depth(camera, size), self._masks(camera, size)
        pose, intrinsics = self._camera(camera, size)
        positions = np.array([simulator.sim.data.body_xpos[body] for body in self.bodies])
        seen = (positions - pose[:3, 3]) @ pose[:3, :3] @ intrinsics.T
        columns = tuple(float(column) for column in seen[:, 0] / seen[:, 2] / size)
        return Shot(image, depth, masks, names, positions, columns, self.gripper(), closed, pose, intrinsics)

    def gripper(self) -> Floats:
        """Its position in the world, [3], m."""
        robot = self._simulator.robots[0]
        return np.array(self._simulator.sim.data.site_xpos[robot.eef_site_id[robot.arms[0]]])

    def _camera(self, name: str, size: int) -> tuple[Floats, Floats]:
        model, data = self._simulator.sim.model, self._simulator.sim.data
        number = model.camera_name2id(name)
        pose = np.eye(4)
        pose[:3, :3] = data.cam_xmat[number].reshape(3, 3) * [1, -1, -1]  # MuJoCo's look along -z, y up
        pose[:3, 3] = data.cam_xpos[number]
        focal = size / 2 / np.tan(np.radians(model.cam_fovy[number]) / 2)
        return pose, np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]])

    def _depth(self, camera: str, size: int) -> Floats:
        sim = self._simulator.sim
        _, depth = sim.render(size, size, camera_name=camera, depth=True)
        near, far = (
            float(plane) * sim.model.stat.extent for plane in (sim.model.vis.map.znear, sim.model.vis.map.zfar)
        )
        metres: Floats = near / (1 - depth[::-1].astype(np.float64) * (1 - near / far))
        return metres

    def _masks(self, camera: str, size: int) -> npt.NDArray[np.uint8]:
        import mujoco

        kinds_and_numbers = self._simulator.sim.render(size, size, camera_name=camera, segmentation=True)[::-1]
        kinds, numbers = kinds_and_numbers[..., 0], kinds_and_numbers[..., 1]
        return np.where(kinds == int(mujoco.mjtObj.mjOBJ_GEOM), self._owners[numbers], 0).astype(np.uint8)

    def _owner_of_each_geom(self, model: Any) -> npt.NDArray[np.uint8]:
        """The value in masks of each geometry."""
        owners = np.zeros(model.ngeom + 1, np.uint8)
        for geom in range(model.ngeom):
            body = int(model.geom_bodyid[geom])
            while body and not owners[geom]:
                if body in self.bodies:
                    owners[geom] = self.bodies.index(body) + 1
                elif (model.body_id2name(body) or "").startswith(("robot0", "gripper0")):
                    owners[geom] = ROBOT
                body = int(model.body_parentid[body])
        return owners

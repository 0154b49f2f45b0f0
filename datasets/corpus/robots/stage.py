"""Stage: one robosuite task that is set to random states, coloured, lit and photographed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.corpus.scenes.things import COLOURS
from embodio.envs.robosuite import simulator as sim_tools
from embodio.envs.robosuite.controls.osc_pose import METRES_PER_UNIT
from embodio.model.example import Image

Floats = npt.NDArray[np.float64]
STAGES: Mapping[str, Mapping[str, str]] = {
    "Lift": {"cube": "{} cube"},
    "Stack": {"cubeA": "small {} cube", "cubeB": "large {} cube"},
    "PickPlace": {"Milk": "milk carton", "Bread": "loaf of bread", "Cereal": "box of cereal", "Can": "red can"},
    "NutAssembly": {"SquareNut": "square nut", "RoundNut": "round nut"},
    "Door": {"Door": "door"},
}
"""Task of robosuite -> its things and what they are called; "{}" is a colour that is drawn."""
ROBOT = 100
"""Value of the arm in masks; thing i has i + 1, everything else 0."""
_CAMERAS = ("agentview", "frontview", "agentview")
_LONGEST_MOVE = 24  # actions


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


class Stage:
    """The simulator of one task.

    Args:
        task: a key of `STAGES`.

    Raises:
        SimulatorError: it cannot be started.
    """

    def __init__(self, task: str) -> None:
        self.task = task
        self._simulator: Any = sim_tools.start(task, offscreen=True)
        model = self._simulator.sim.model
        self._cameras, self._light = model.cam_pos.copy(), model.light_diffuse.copy()
        bodies = {item.name: item.root_body for item in self._simulator.model.mujoco_objects}
        self._bodies = [model.body_name2id(bodies[name]) for name in STAGES[task]]
        self._owners = self._owner_of_each_geom(model)

    def shot(self, generator: np.random.Generator, size: int) -> Shot:
        """Sets a random state and photographs it; raises SimulatorError."""
        simulator = self._simulator
        with sim_tools.errors_as_simulator_error("staging a picture"):
            sim_tools.seed(simulator, generator)
            simulator.reset()
            names = self._dress(generator)
            closed = self._move(generator)
            camera = _CAMERAS[int(generator.integers(len(_CAMERAS)))]
            simulator.sim.forward()
            image = sim_tools.render(simulator, camera, size)
            depth, masks = self._depth(camera, size), self._masks(camera, size)
        sim_tools.require_healthy(simulator)
        pose, intrinsics = self._camera(camera, size)
        positions = np.array([simulator.sim.data.body_xpos[body] for body in self._bodies])
        seen = (positions - pose[:3, 3]) @ pose[:3, :3] @ intrinsics.T
        columns = tuple(float(column) for column in seen[:, 0] / seen[:, 2] / size)
        return Shot(image, depth, masks, names, positions, columns, self._gripper(), closed, pose, intrinsics)

    def stop(self) -> None:
        """Frees the simulator."""
        sim_tools.stop(self._simulator)

    def _dress(self, generator: np.random.Generator) -> tuple[str, ...]:
        """Draws colours, light and the camera's place; returns what the things are called now."""
        model = self._simulator.sim.model
        colours = [list(COLOURS)[index] for index in generator.permutation(len(COLOURS))]
        names = []
        for place, (name, wording) in enumerate(STAGES[self.task].items()):
            if "{}" in wording:
                for geom in model.geom_names:
                    if geom and geom.startswith(f"{name}_") and geom.endswith("_vis"):
                        number = model.geom_name2id(geom)
                        model.geom_matid[number] = -1
                        model.geom_rgba[number] = [*COLOURS[colours[place]], 1.0]
            names.append(wording.format(colours[place]))
        model.light_diffuse[:] = self._light * generator.uniform(0.5, 1.3)
        model.cam_pos[:] = self._cameras + generator.normal(0, 0.03, self._cameras.shape)
        return tuple(names)

    def _move(self, generator: np.random.Generator) -> bool:
        """Moves the gripper some way to one of the things or to a point above them; returns whether it closes."""
        simulator = self._simulator
        body = self._bodies[int(generator.integers(len(self._bodies)))]
        closed = bool(generator.random() < 0.4)
        above = np.array([*generator.normal(0, 0.03, 2), generator.choice([0.0, 0.08, 0.2])])
        for _ in range(int(generator.integers(_LONGEST_MOVE))):
            way = simulator.sim.data.body_xpos[body] + above - self._gripper()
            move = np.clip(way / METRES_PER_UNIT, -1, 1)
            simulator.step(np.array([*move, 0, 0, 0, 1.0 if closed else -1.0]))
        return closed

    def _gripper(self) -> Floats:
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
                if body in self._bodies:
                    owners[geom] = self._bodies.index(body) + 1
                elif (model.body_id2name(body) or "").startswith(("robot0", "gripper0")):
                    owners[geom] = ROBOT
                body = int(model.body_parentid[body])
        return owners


_current: Stage | None = None


def stage(task: str) -> Stage:
    """The stage of a task; each process keeps the one that it used last, because each takes a gigabyte."""
    global _current
    if _current is None or _current.task != task:
        if _current is not None:
            _current.stop()
            _current = None
        _current = Stage(task)
    return _current

"""Stage: one robosuite task that is set to random states, coloured, lit and photographed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from embodio.datasets.corpus.robots.photographer import Photographer, Shot
from embodio.datasets.corpus.scenes.things import COLOURS
from embodio.envs.robosuite import simulator as sim_tools
from embodio.envs.robosuite.controls.osc_pose import METRES_PER_UNIT

STAGES: Mapping[str, Mapping[str, str]] = {
    "Lift": {"cube": "{} cube"},
    "Stack": {"cubeA": "small {} cube", "cubeB": "large {} cube"},
    "PickPlace": {"Milk": "milk carton", "Bread": "loaf of bread", "Cereal": "box of cereal", "Can": "red can"},
    "NutAssembly": {"SquareNut": "square nut", "RoundNut": "round nut"},
    "Door": {"Door": "door"},
}
"""Task of robosuite -> its things and what they are called; "{}" is a colour that is drawn."""
_CAMERAS = ("agentview", "frontview", "agentview")
_LONGEST_MOVE = 24  # actions


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
        self._photographer = Photographer(self._simulator, tuple(STAGES[task]))

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
            shot = self._photographer.shot(camera, size, names, closed)
        sim_tools.require_healthy(simulator)
        return shot

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
        bodies = self._photographer.bodies
        body = bodies[int(generator.integers(len(bodies)))]
        closed = bool(generator.random() < 0.4)
        above = np.array([*generator.normal(0, 0.03, 2), generator.choice([0.0, 0.08, 0.2])])
        for _ in range(int(generator.integers(_LONGEST_MOVE))):
            way = simulator.sim.data.body_xpos[body] + above - self._photographer.gripper()
            move = np.clip(way / METRES_PER_UNIT, -1, 1)
            simulator.step(np.array([*move, 0, 0, 0, 1.0 if closed else -1.0]))
        return closed


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

"""A small stand-in for the package `vima_bench`: the same calls, spaces and answers, with hardly any physics.

It checks what is given to it as strictly as the real one. Each task is: bring the only object to the goal, by picking
it up (or pushing it) and placing it with the right turn. Every tenth seed gives no scene, as happens there. As the real
one does, it leaves the physics client out where it hides the arm and grasps, limits motions by the clock, asks its
oracle for a goal when there is none left, prints, and leaves files in the temporary folder.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import types
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import pytest

from embodio.envs.vima.tasks import PARTITIONS, TASKS
from tests.support.envs.fake_pybullet import fake_pybullet

LOW, HIGH = np.float32([0.25, -0.5]), np.float32([0.75, 0.5])
PARTS = {"pose0_position": 2, "pose0_rotation": 4, "pose1_position": 2, "pose1_rotation": 4}
NEAR = 0.05  # metres
STUCK = np.float32([0.75, 0.5])  # the arm never gets there
MOTION = 100  # simulation steps


class Oracle(NamedTuple):
    act: Any


class Task:
    def __init__(self, name: str) -> None:
        self.task_name, self.oracle_max_steps = name, TASKS[name].oracle_steps
        self.goals: list[str] = []

    def oracle(self, env: FakeVimaEnv) -> Oracle:
        def act(observation: Any) -> dict[str, np.ndarray]:
            _ = self.goals[0]
            half = np.radians(env.turn) / 2
            still = np.float32([0, 0, 0, 1])
            turned = np.float32([0, 0, np.sin(half), np.cos(half)])
            return dict(zip(PARTS, (env.place, still, env.goal, turned), strict=True))

        return Oracle(act)


class FakeVimaEnv(gymnasium.Env):
    def __init__(self, package: types.ModuleType, task: str, task_kwargs: dict[str, Any]) -> None:
        self.package = package
        self.client_id = package.p.connect(package.p.DIRECT)
        self.task, self.task_kwargs = Task(task), task_kwargs
        self.prompt, self.prompt_assets, self.meta_info = "", {}, {}
        self.ee = 1 if task.startswith("sweep") else 0
        self.resets, self.broken, self.closed = 0, False, False
        self.skipped_oracle: list[bool] = []
        self.action_space = gymnasium.spaces.Dict(
            {
                name: gymnasium.spaces.Box(*((LOW, HIGH) if size == 2 else (-1.0, 1.0, (4,))), dtype=np.float32)
                for name, size in PARTS.items()
            }
        )
        self.global_seed = None

    @property
    def global_seed(self) -> Any:
        return self._seed, self._seed

    @global_seed.setter
    def global_seed(self, seed: int | None) -> None:
        self._seed, self._random = seed, np.random.default_rng(seed)

    def reset(self) -> dict[str, Any]:
        print("Warning: 1 repeated sampling")
        self.resets += 1
        if self._seed is not None and self._seed % 10 == 0:
            raise ValueError("Error in sampling dragged object")
        self.place, self.goal = (self._random.uniform(LOW + 0.1, HIGH - 0.1).astype(np.float32) for _ in range(2))
        self.turn = float(self._random.integers(0, 12)) * 30.0
        self.task.goals = ["the only one"]
        self._build()
        self.prompt = "Put the {dragged_obj} into the {base_obj} please."
        shown = {"dragged_obj": self.place, "base_obj": self.goal}
        self.prompt_assets = {
            name: {
                "rgb": {view: self._draw(place) for view in ("front", "top")},
                "segm": {"front": None, "top": None, "obj_info": {"obj_id": 0}},
                "placeholder_type": "object",
            }
            for name, place in shown.items()
        }
        return self._observe()

    def step(self, action: Any = None, skip_oracle: bool = True) -> tuple[dict[str, Any], float, bool, dict[str, Any]]:
        assert self.action_space.contains(action), f"got {action} instead"
        self.skipped_oracle.append(skip_oracle)
        if self.broken:
            raise RuntimeError("Not connected to physics server.")
        turned, success = 0.0, False
        timed_out = self._move(action["pose0_position"])
        grasped = self._grasp()
        timed_out |= self._move(action["pose1_position"])
        if grasped and np.linalg.norm(action["pose0_position"] - self.place) < NEAR:
            self.place = action["pose1_position"]
            turned = float(np.degrees(2 * np.arctan2(*action["pose1_rotation"][2:])))
            apart = abs((turned - self.turn + 180) % 360 - 180)
            success = bool(np.linalg.norm(self.place - self.goal) < NEAR and apart < 15)
        self.task.goals = [] if success else self.task.goals
        failure = bool(action["pose1_position"][0] == LOW[0])
        told = {"prompt": self.prompt, "success": success, "failure": failure}
        return self._observe(), 0, success or failure or timed_out, told

    def close(self) -> None:
        self.package.p.disconnect(self.client_id)
        self.closed = True

    def _build(self) -> None:
        """Loads the arm, hides it, and loads the object from a file that stays behind."""
        p, client = self.package.p, self.client_id
        p.resetSimulation(physicsClientId=client)
        self.arm = p.loadURDF("arm.urdf", physicsClientId=client)
        for body, link, *_ in p.getVisualShapeData(self.arm, physicsClientId=client):
            p.changeVisualShape(body, link, rgbaColor=(1, 1, 1, 0))
        self.scene_file = os.path.join(self.package.tempfile.gettempdir(), f"fake.urdf.{self.resets}")
        with open(self.scene_file, "w") as file:
            file.write("<robot/>")
        self.object = p.loadURDF(self.scene_file, physicsClientId=client)
        p.loadTexture("wood.png", client)
        p.connect(p.DIRECT)  # for pictures of the prompt; not closed where a scene fails

    def _move(self, position: np.ndarray) -> bool:
        """Moves the arm; whether that took too long."""
        clock, begin, steps = self.package.time, self.package.time.time(), 0
        while clock.time() - begin < 5:
            self.package.p.stepSimulation(physicsClientId=self.client_id)
            steps += 1
            if steps >= MOTION and not (position == STUCK).all():
                return False
        return True

    def _grasp(self) -> bool:
        p = self.package.p
        grasp = p.createConstraint(self.arm, self.object)
        held = bool(p.getConstraints(physicsClientId=self.client_id))
        p.removeConstraint(grasp)
        return held

    def _observe(self) -> dict[str, Any]:
        rgb = {view: self._draw(self.place) for view in ("front", "top")}
        seen = self.package.p.getVisualShapeData(self.arm, physicsClientId=self.client_id)[0][7][3]
        for image in rgb.values():
            image[2, :8] = np.maximum(image[2, :8], np.uint8(255 * seen))  # the arm
        segm = {view: (rgb[view][0] > 200).astype(np.uint8) for view in rgb}
        return {"rgb": rgb, "segm": segm, "ee": self.ee}

    @staticmethod
    def _draw(place: np.ndarray) -> np.ndarray:
        image = np.full((3, 128, 256), 80, np.uint8)
        row, column = ((place - LOW) / (HIGH - LOW) * (127, 255)).astype(int)
        image[:2, max(0, row - 4) : row + 5, max(0, column - 4) : column + 5] = 255
        return image


def install(patch: pytest.MonkeyPatch) -> types.ModuleType:
    """Makes the stand-in, and that of `pybullet`, what is imported until the test ends."""
    pybullet = fake_pybullet()
    module = fake_vima_bench(pybullet)
    patch.setitem(sys.modules, "pybullet", pybullet)
    patch.setitem(sys.modules, "vima_bench", module)
    return module


def fake_vima_bench(pybullet: types.ModuleType) -> types.ModuleType:
    """The module; its attributes `p`, `time` and `tempfile` are those that the modules of the real one have."""
    module = types.ModuleType("vima_bench")
    module.p, module.time, module.tempfile = pybullet, time, tempfile  # type: ignore[attr-defined]
    made: list[FakeVimaEnv] = []

    def make(
        task_name: str, *, task_kwargs: Any = None, modalities: Any = None, seed: int | None = None
    ) -> FakeVimaEnv:
        assert modalities == ["rgb", "segm"]
        made.append(FakeVimaEnv(module, task_name, task_kwargs))
        return made[-1]

    def specs(level: str) -> dict[str, Any]:
        return {name: {"level": level} if name == "rotate" else None for name, t in TASKS.items() if level in t.levels}

    module.made, module.make = made, make  # type: ignore[attr-defined]
    module.PARTITION_TO_SPECS = {  # type: ignore[attr-defined]
        "train": specs("train"),
        "test": {partition: specs(level) for level, partition in PARTITIONS.items()},
    }
    return module

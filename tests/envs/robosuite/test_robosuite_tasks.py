"""A task of robosuite is one file: a file in the folder of tasks is known everywhere, without an edit elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import embodio.envs
from embodio.envs import embodiment_of, known_envs, make_env, make_expert, run_episode
from embodio.envs.robosuite import TASKS, tasks

TOY = '''
"""Raising the gripper, and its scripted expert."""

import numpy as np

from embodio.envs.robosuite.task import RobosuiteTask


class Raiser:
    def __init__(self, env):
        self.start = env.body_pose

    def reset(self, instruction=None):
        self.asked = instruction

    def act(self, observation):
        return np.array([0, 0, 1, 0, 0, 0, -1], np.float32)


def raised(simulator):
    robot = simulator.robots[0]
    return bool(simulator.sim.data.site_xpos[robot.eef_site_id[robot.arms[0]]][2] > 1.05)


TASK = RobosuiteTask(class_name="Lift", instruction="raise the gripper", expert=Raiser, success=raised)
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "toy_raise.py").write_text(TOY)
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(tmp_path)])
    yield "robosuite/toy_raise"
    sys.modules.pop("embodio.envs.robosuite.tasks.toy_raise", None)
    gymnasium.registry.pop("embodio/robosuite-toy_raise-v0", None)


def test_every_file_of_the_folder_is_a_task() -> None:
    files = {file.stem for file in Path(tasks.__path__[0]).glob("*.py")} - {"__init__"}
    assert set(TASKS) == files
    assert {"lift", "stack", "pick_place_can"} <= files
    with pytest.raises(KeyError):
        TASKS["os"]


def test_a_task_is_added_by_a_file(toy: str) -> None:
    assert toy in known_envs()
    assert embodiment_of(toy) == embodiment_of("robosuite/lift")
    embodio.envs.register()
    env = gymnasium.make("embodio/robosuite-toy_raise-v0", cameras=False)
    assert env.unwrapped.task.instruction == "raise the gripper"
    assert type(make_expert(toy, env)).__name__ == "Raiser"


@pytest.mark.sim
def test_the_added_task_runs_with_its_own_instruction_expert_and_success(toy: str) -> None:
    env = make_env(toy, cameras=False, horizon=40)
    assert env.reset(seed=0)[0]["instruction"] == "raise the gripper"
    assert not env.step(np.array([0, 0, 0, 0, 0, 0, -1], np.float32))[4]["success"]
    assert run_episode(env, make_expert(toy, env), seed=0).status == "success"
    env.close()

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


def states(env: gymnasium.Env, seed: int) -> np.ndarray:
    """What a few steps of an episode show."""
    seen = [env.reset(seed=seed)[0]]
    seen += [env.step(env.action_space.low / 2)[0] for _ in range(2)]
    assert all(env.observation_space.contains(observation) for observation in seen)
    return np.stack([observation["state"] for observation in seen])


def require_contract(task: str) -> None:
    """The seed decides an episode, and nothing is done before anything is done."""
    env = make_env(f"robosuite/{task}", cameras=False)
    first = states(env, 1)
    assert not np.array_equal(first, states(env, 2))
    np.testing.assert_array_equal(first, states(env, 1))
    assert not env.unwrapped.task.success(env.unwrapped.simulator)
    env.close()


@pytest.mark.sim
@pytest.mark.parametrize("task", ["wipe", "two_arm_lift"])
def test_tasks_with_another_tool_or_two_arms_keep_the_contract(task: str) -> None:
    require_contract(task)


@pytest.mark.sim
@pytest.mark.slow
@pytest.mark.parametrize("task", sorted(TASKS))
def test_every_task_keeps_the_contract(task: str) -> None:
    require_contract(task)


@pytest.mark.sim
@pytest.mark.slow
@pytest.mark.parametrize("task", sorted(TASKS))
def test_the_expert_of_every_task_solves_it(task: str) -> None:
    env = make_env(f"robosuite/{task}", cameras=False)
    assert run_episode(env, make_expert(f"robosuite/{task}", env), seed=1000).status == "success"
    env.close()

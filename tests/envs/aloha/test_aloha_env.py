"""ALOHA as an environment; what needs gym-aloha runs where the extra `aloha` is installed."""

from __future__ import annotations

import importlib.util
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from embodio.envs import EnvError, InvalidAction, SimulatorError, UnknownEnv, embodiment_of, known_envs, make_env
from embodio.envs.aloha.env import TASKS, AlohaEnv

needed = pytest.mark.skipif(importlib.util.find_spec("gym_aloha") is None, reason="needs the extra `aloha`")


def test_it_is_known_without_being_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    robot = embodiment_of("aloha/transfer_cube")
    assert len(robot.action.dimensions) == len(robot.state) == 14
    assert {f"aloha/{task}" for task in TASKS} <= set(known_envs())
    with pytest.raises(UnknownEnv, match="Did you mean 'aloha/insertion'"):
        make_env("aloha/insert")
    monkeypatch.delitem(sys.modules, "gym_aloha", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EnvError, match="gym_aloha is not installed: run `pip install --no-deps gym-aloha"):
        make_env("aloha/insertion")


@needed
def test_gymnasium_accepts_it() -> None:
    made = gymnasium.make("embodio/aloha-insertion-v0", cameras=False).unwrapped
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore")
        check_env(made, skip_render_check=True)


@needed
@pytest.mark.sim
def test_the_seed_decides_the_pixels_and_joints_go_where_they_are_sent() -> None:
    env = AlohaEnv(image_height=48, horizon=21)
    first, info = env.reset(seed=4)
    assert info == {"success": False} and first["instruction"] == TASKS["transfer_cube"]
    assert env.observation_space.contains(first) and first["top"].shape == (48, 64, 3) and first["top"].std() > 10
    target = first["state"].copy()
    target[0] += 0.2
    for _ in range(20):
        observation, reward, terminated, truncated, info = env.step(target)
    assert abs(observation["state"][0] - target[0]) < 0.03
    assert (reward, terminated, truncated, info) == (0.0, False, False, {"success": False, "stage": 0})
    assert env.step(target)[3]
    env.reset(seed=5)
    np.testing.assert_array_equal(env.reset(seed=4)[0]["top"], first["top"])
    with pytest.raises(InvalidAction, match="'left_gripper' is 2"):
        env.step(np.full(14, 2.0, np.float32) * (np.arange(14) == 6))
    env._arms._env.physics.data.qvel[:] = np.nan
    with pytest.raises(SimulatorError, match="PhysicsError"):
        env.step(target)
    np.testing.assert_array_equal(env.reset(seed=4)[0]["top"], first["top"])
    env.close()

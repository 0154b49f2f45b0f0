"""PushT as an environment: board, finger and coverage, the same pixels for the same seed."""

from __future__ import annotations

import importlib.util
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from embodio.envs import EnvError, InvalidAction, make_env, make_expert
from embodio.envs.pusht.env import INSTRUCTION, PushtEnv


def test_gymnasium_accepts_it() -> None:
    made = gymnasium.make("embodio/pusht-push_t-v0", render_mode="rgb_array").unwrapped
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*(infinity|symmetric and normalized|pkg_resources|avx2).*")
        check_env(made)


def test_the_seed_decides_the_pixels_and_the_finger_goes_where_it_is_sent() -> None:
    env, other = PushtEnv(render_mode="rgb_array"), PushtEnv()
    first, info = env.reset(seed=4)
    assert info == {"success": False} and first["instruction"] == INSTRUCTION
    assert env.observation_space.contains(first) and first["top"].shape == (96, 96, 3)
    for _ in range(25):
        observation, reward, terminated, truncated, info = env.step(np.array([40, 60], np.float32))
    assert np.abs(observation["state"] - [40, 60]).max() < 5
    assert (reward, terminated, truncated, info["success"]) == (0.0, False, False, False)
    assert 0 <= info["coverage"] < 0.95
    assert env.render().shape == (256, 256, 3)
    for again in (env.reset(seed=4)[0], other.reset(seed=4)[0]):
        np.testing.assert_array_equal(again["top"], first["top"])
        np.testing.assert_array_equal(again["state"], first["state"])
    env.close()


def test_a_block_on_its_outline_is_success() -> None:
    env = PushtEnv(cameras=False)
    start = env.reset(seed=0)[0]["state"]
    env._game.block.angle = float(env._game.goal_pose[2])
    env._game.block.position = tuple(env._game.goal_pose[:2])
    _, reward, terminated, _, info = env.step(start)
    assert info["success"] and terminated and reward == 1.0 and info["coverage"] > 0.95


def test_the_horizon_truncates() -> None:
    env = PushtEnv(cameras=False, horizon=2)
    env.reset(seed=1)
    assert [env.step(np.array([256, 256], np.float32))[3] for _ in range(2)] == [False, True]


def test_what_is_wrong_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    env = make_env("pusht/push_t", cameras=False)
    with pytest.raises(EnvError, match=r"call reset\(\) first"):
        env.step(np.zeros(2, np.float32))
    env.reset(seed=0)
    with pytest.raises(InvalidAction, match="'target_y' is -1"):
        env.step(np.array([3, -1], np.float32))
    with pytest.raises(EnvError, match="pusht/push_t has no scripted expert"):
        make_expert("pusht/push_t", env)
    with pytest.raises(EnvError, match="horizon"):
        PushtEnv(horizon=0)
    monkeypatch.delitem(sys.modules, "gym_pusht", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EnvError, match="gym_pusht is not installed: run `pip install --no-deps gym-pusht"):
        make_env("pusht/push_t")

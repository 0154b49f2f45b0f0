"""Meta-World behaves as a gymnasium environment whose seed decides task, scene and every pixel."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from embodio.envs import EnvError, InvalidAction, SimulatorError, UnknownEnv, make_env, make_expert, run_episode
from embodio.envs.metaworld.env import MetaworldEnv
from embodio.envs.metaworld.tasks import SUITES, TASKS

pytestmark = pytest.mark.sim
STILL = np.zeros(4, np.float32)
FORWARD = np.array([0, 1, 0, 0], np.float32)


@pytest.fixture(scope="module")
def suite() -> Iterator[MetaworldEnv]:
    made = MetaworldEnv("mt10", horizon=4, image_size=64)
    yield made
    made.close()


@pytest.fixture(scope="module")
def blind() -> Iterator[MetaworldEnv]:
    made = MetaworldEnv("reach", horizon=4, cameras=False)
    yield made
    made.close()


def play(env: gymnasium.Env, seed: int, action: np.ndarray = FORWARD, steps: int = 2) -> list[dict[str, Any]]:
    """Observations of a short episode."""
    observations = [env.reset(seed=seed)[0]]
    for _ in range(steps):
        observations.append(env.step(action)[0])
    return observations


def assert_same(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> None:
    for one, other in zip(first, second, strict=True):
        assert one.keys() == other.keys()
        for key, value in one.items():
            np.testing.assert_array_equal(value, other[key], err_msg=key)


def test_gymnasium_accepts_it() -> None:
    made = gymnasium.make("embodio/metaworld-reach-v0", cameras=False).unwrapped
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*infinity.*")  # the state is an open box on purpose
        check_env(made, skip_render_check=True)


def test_an_observation_is_pictures_proprioception_and_words(suite: MetaworldEnv) -> None:
    observation, info = suite.reset(seed=3)
    assert info == {"success": False, "task": "door-open"}
    assert observation["instruction"] == TASKS["door-open"].standard
    assert suite.observation_space.contains(observation)
    assert set(observation) == {"corner2", "gripperPOV", "state", "instruction"}
    assert observation["state"].shape == (4,)
    assert all(observation[camera].std() > 10 for camera in ("corner2", "gripperPOV"))
    np.testing.assert_array_equal(observation["state"], suite.simulator.observation[:4].astype(np.float32))


def test_the_seed_decides_the_task_and_the_pixels_whatever_came_before(suite: MetaworldEnv) -> None:
    first = play(suite, seed=11)
    assert suite.task == SUITES["mt10"][1] == "push"
    play(suite, seed=3, action=-FORWARD)
    play(suite, seed=21, action=np.ones(4, np.float32), steps=4)  # the same task
    assert_same(first, play(suite, seed=11))
    alone = MetaworldEnv("push", image_size=64)
    assert_same(first, play(alone, seed=11))
    alone.close()
    assert_same(first, play(alone, seed=11))  # started again
    alone.close()


def test_other_seeds_give_other_scenes(blind: MetaworldEnv) -> None:
    goals = []
    for seed in range(5):
        blind.reset(seed=seed)
        goals.append(tuple(blind.simulator.observation[-3:]))
    assert len(set(goals)) == 5


def test_the_goal_is_shown_where_it_is_from_the_first_picture_on(blind: MetaworldEnv) -> None:
    for seed in (1, 2):
        blind.reset(seed=seed)
        inner = blind.simulator._env
        np.testing.assert_allclose(inner.data.site("goal").xpos, inner._target_pos, atol=1e-6)


def test_pictures_are_upright(suite: MetaworldEnv) -> None:
    """The red arm comes in from the upper left of the third-person view, over the brown table."""
    image = suite.reset(seed=0)[0]["corner2"].astype(float)
    red = image[..., 0] > 1.8 * image[..., 1]
    rows, columns = np.nonzero(red)
    assert len(rows) > 200
    assert rows.mean() < 40
    assert columns.mean() < 32


def test_success_ends_an_episode_and_the_horizon_truncates_it(blind: MetaworldEnv) -> None:
    blind.reset(seed=0)
    assert [blind.step(STILL)[2:4] for _ in range(4)] == [(False, False)] * 3 + [(False, True)]
    env = make_env("metaworld/reach", cameras=False)
    result = run_episode(env, make_expert("metaworld/reach", env), seed=0)
    assert result.status == "success" and result.steps < 100
    env.close()


@pytest.mark.parametrize("task", ["drawer-close", "button-press-topdown", "window-open"])
def test_the_expert_follows_the_task(task: str) -> None:
    env = make_env(f"metaworld/{task}", cameras=False)
    results = [run_episode(env, make_expert(f"metaworld/{task}", env), seed=seed) for seed in (770000, 770001)]
    assert [result.status for result in results] == ["success"] * 2
    env.close()


def test_wordings_by_name_and_by_seed() -> None:
    env = make_env("metaworld/reach/varied", cameras=False)
    texts = [env.reset(seed=seed)[0]["instruction"] for seed in (*range(12), *range(12))]
    assert texts[:12] == texts[12:]
    assert set(texts) == {TASKS["reach"].standard, *TASKS["reach"].others}
    env.close()


def test_actions_outside_the_limits_are_refused(blind: MetaworldEnv) -> None:
    blind.reset(seed=0)
    with pytest.raises(InvalidAction, match=r"'gripper' is 1\.5"):
        blind.step(np.array([0, 0, 0, 1.5], np.float32))
    with pytest.raises(InvalidAction, match=r"shape \(4,\)"):
        blind.step(np.zeros(7, np.float32))


def test_diverged_physics_is_a_simulator_error_and_reset_recovers() -> None:
    env = MetaworldEnv("reach", cameras=False)
    expected = play(env, seed=4)
    env.simulator._env.data.qvel[:] = np.nan
    with pytest.raises(SimulatorError, match="diverged"):
        env.step(STILL)
    assert_same(expected, play(env, seed=4))
    env.close()


def test_what_is_wrong_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownEnv, match="Did you mean 'metaworld/drawer-open'"):
        make_env("metaworld/draw-open")
    with pytest.raises(UnknownEnv, match="Did you mean 'mt10'"):
        MetaworldEnv("mt-10")
    with pytest.raises(EnvError, match=r"wording 'odd'.*standard, varied, held_out"):
        MetaworldEnv("reach", wording="odd")
    with pytest.raises(EnvError, match="horizon"):
        MetaworldEnv("reach", horizon=0)
    with pytest.raises(EnvError, match="render_mode"):
        MetaworldEnv("reach", render_mode="human")
    with pytest.raises(EnvError, match=r"call reset\(\) first"):
        MetaworldEnv("reach").step(STILL)
    monkeypatch.delitem(sys.modules, "metaworld", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EnvError, match="metaworld is not installed: run `pip install --no-deps metaworld"):
        MetaworldEnv("reach")


def test_the_scene_can_be_perturbed_in_every_task_of_a_suite() -> None:
    """Pure functions of the seed, in pictures alone, that leave nothing behind for the next episode of the task."""
    env = make_env("metaworld/mt10", perturb="camera:3+light:3+texture:3+colour:3+distractors:3", image_size=48)
    usual = make_env("metaworld/mt10", image_size=48)
    for seed in (3, 4):
        first = env.reset(seed=seed)[0]
        env.reset(seed=seed + 10)
        again, plain = env.reset(seed=seed)[0], usual.reset(seed=seed)[0]
        for camera in ("corner2", "gripperPOV"):
            np.testing.assert_array_equal(first[camera], again[camera])
            assert np.abs(first[camera].astype(float) - plain[camera]).mean() > 3
        np.testing.assert_array_equal(first["state"], plain["state"])
    env.reset(seed=3)
    env._levels = {}
    assert_same([env.reset(seed=3)[0]], [usual.reset(seed=3)[0]])
    env.close()
    usual.close()

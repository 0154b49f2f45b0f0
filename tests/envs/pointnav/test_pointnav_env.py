"""Point navigation in MiniGrid's maps: positions, words, the goal, and an expert that knows the way."""

from __future__ import annotations

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from embodio.envs import InvalidAction, UnknownEnv, embodiment_of, known_envs, make_env, make_expert, rollout
from embodio.envs.pointnav.env import MAPS, PointNavEnv
from embodio.envs.pointnav.robot import WORDS


def word(name: str) -> np.ndarray:
    return np.array([WORDS.index(name)], np.float32)


def test_gymnasium_accepts_it() -> None:
    made = gymnasium.make("embodio/pointnav-FourRooms-v0", render_mode="rgb_array").unwrapped
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*symmetric and normalized.*")
        check_env(made)


def test_the_state_follows_the_words() -> None:
    env = make_env("pointnav/Empty-8x8")
    observation, info = env.reset(seed=3)
    assert env.embodiment == embodiment_of("pointnav/Empty-8x8") and env.observation_space.contains(observation)
    assert observation["state"][:4].tolist() == [1, 1, 0, 0] and not info["success"]
    assert (info["path"], info["shortest"]) == (0, env.goal[0] - 1 + env.goal[1] - 1), "nothing is in the way"
    assert tuple(observation["state"][4:6]) == env.goal != (1, 1)
    seen = [env.step(word(name))[0]["state"][:4].tolist() for name in ("forward", "right", "forward", "left", "left")]
    assert seen == [[2, 1, 0, 0], [2, 1, 0, 90], [2, 2, 0, 90], [2, 2, 0, 0], [2, 2, 0, 270]]
    for _ in range(3):
        blocked, *_, info = env.step(word("forward"))
    assert blocked["state"][:2].tolist() == [2, 1] and info["path"] == 3, "walls are in the way"


def test_the_goal_is_hidden_and_drawn_with_the_seed() -> None:
    env, other = make_env("pointnav/SimpleCrossingS9N3"), make_env("pointnav/SimpleCrossingS9N3")
    first, again = env.reset(seed=5)[0], other.reset(seed=5)[0]
    assert np.array_equal(first["rgb"], again["rgb"]) and np.array_equal(first["state"], again["state"])
    assert len({make.reset(seed=seed)[0]["state"][4:].tobytes() for seed in range(8) for make in [env]}) > 4
    assert all(thing is None or thing.type == "wall" for thing in env.grid.grid.grid)


@pytest.mark.parametrize(("at_goal", "success"), [(True, True), (False, False)])
def test_stop_ends_the_episode(at_goal: bool, success: bool) -> None:
    env = make_env("pointnav/Empty-8x8")
    env.reset(seed=3)
    if at_goal:
        env.goal = env.cell
    _, reward, terminated, truncated, info = env.step(word("stop"))
    assert (reward, terminated, truncated, info) == (float(success), True, False, info | {"success": success})


@pytest.mark.parametrize("name", MAPS)
def test_the_expert_solves_every_map(name: str) -> None:
    env = make_env(f"pointnav/{name}")
    results = list(rollout(env, make_expert(f"pointnav/{name}", env), seeds=range(30, 36)))
    assert [result.status for result in results] == ["success"] * 6
    assert all(result.path >= result.shortest > 0 for result in results)


def test_the_expert_takes_no_more_words_than_needed() -> None:
    env = make_env("pointnav/Empty-16x16")
    (result,) = rollout(env, make_expert("pointnav/Empty-16x16", env), seeds=[4])
    x, z = env.goal
    assert result.path == result.shortest == (x - 1) + (z - 1)
    assert result.steps == (x - 1) + (z - 1) + int(z > 1) + 1, "along x, one turn, along z, and stop"


def test_what_does_not_exist_is_refused() -> None:
    assert sum(name.startswith("pointnav/") for name in known_envs()) == len(MAPS)
    with pytest.raises(UnknownEnv, match="FourRooms"):
        PointNavEnv("FourRoom")
    env = make_env("pointnav/FourRooms", horizon=2)
    env.reset(seed=1)
    with pytest.raises(InvalidAction):
        env.step(np.array([4], np.float32))
    assert [env.step(word("left"))[3] for _ in range(2)] == [False, True]

"""MiniGrid and BabyAI as environments: words as actions, missions as instructions, the bot as expert."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from embodio.datasets.opening import open_source
from embodio.datasets.recording.collect import collect
from embodio.envs import EnvError, InvalidAction, UnknownEnv, embodiment_of, known_envs, make_env, make_expert
from embodio.envs.errors import SimulatorError
from embodio.envs.minigrid.env import WORDS, MinigridEnv
from embodio.envs.minigrid.tasks import BOT_FAILS, TASKS, minigrid_id
from embodio.envs.rollout import run_episode


def word(name: str) -> np.ndarray:
    return np.array([WORDS.index(name)], np.float32)


def test_every_task_is_one_of_minigrids_and_words_are_in_its_order() -> None:
    from minigrid.core.actions import Actions

    assert [minigrid_id(task) for task in TASKS if minigrid_id(task) not in gymnasium.registry] == []
    assert [action.name for action in Actions] == [name.replace(" ", "") for name in WORDS]
    babyai = {name for name in gymnasium.registry if name.startswith("BabyAI-")}
    assert babyai == {minigrid_id(task) for task in TASKS if task.startswith("babyai/")}
    assert set(TASKS) <= set(known_envs())


def test_gymnasium_accepts_it() -> None:
    made = gymnasium.make("embodio/babyai-GoToLocal-v0", render_mode="rgb_array").unwrapped
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*symmetric and normalized.*")  # a word is its place in a list
        check_env(made)


def test_an_observation_is_a_view_a_heading_and_a_mission() -> None:
    env = make_env("babyai/GoToLocal", render_mode="rgb_array")
    observation, info = env.reset(seed=3)
    assert observation["instruction"] == "go to the red key"
    assert info == {"success": False}
    assert env.observation_space.contains(observation)
    assert observation["view"].shape == (112, 112, 3) and observation["view"].std() > 10
    turned = env.step(word("right"))[0]
    assert turned["state"][0] == (observation["state"][0] + 1) % 4
    assert not np.array_equal(turned["view"], observation["view"])
    assert env.render().ndim == 3
    assert env.embodiment == embodiment_of("babyai/GoToLocal") == embodiment_of("minigrid/DoorKey-8x8")


def test_the_seed_decides_mission_and_pixels() -> None:
    env, other = make_env("babyai/PutNextLocal"), make_env("babyai/PutNextLocal")
    first = env.reset(seed=5)[0]
    env.reset(seed=6)
    for again in (env.reset(seed=5)[0], other.reset(seed=5)[0]):
        assert again["instruction"] == first["instruction"]
        np.testing.assert_array_equal(again["view"], first["view"])
    assert len({env.reset(seed=seed)[0]["instruction"] for seed in range(8)}) > 4


@pytest.mark.parametrize("level", ["GoToLocal", "PickupLoc", "PutNextLocal", "OpenDoor", "UnlockLocal"])
def test_the_bot_solves_levels(level: str) -> None:
    env = make_env(f"babyai/{level}", cameras=False)
    expert = make_expert(f"babyai/{level}", env)
    assert [run_episode(env, expert, seed).status for seed in range(770000, 770004)] == ["success"] * 4


def test_a_bot_that_gives_up_is_an_error_of_the_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    from minigrid.utils import baby_ai_bot

    def give_up(*arguments: object) -> None:
        raise baby_ai_bot.DisappearedBoxError("a box was opened")

    env = make_env("babyai/PutNextLocal", cameras=False)
    expert = make_expert("babyai/PutNextLocal", env)
    observation, _ = env.reset(seed=0)
    expert.reset()
    monkeypatch.setattr(baby_ai_bot.BabyAIBot, "replan", give_up)
    with pytest.raises(SimulatorError, match=r"finds no plan .*a box was opened"):
        expert.act(observation)


def test_the_bot_finds_its_way_after_other_actions_than_its_own() -> None:
    env = make_env("babyai/GoToLocal", cameras=False)
    expert = make_expert("babyai/GoToLocal", env)
    random = np.random.default_rng(0)
    for seed in range(4):
        observation, _ = env.reset(seed=seed)
        expert.reset()
        for step in range(60):
            action = expert.act(observation)
            wander = step < 10 and random.random() < 0.5
            observation, _, terminated, truncated, info = env.step(word("left") if wander else action)
            if terminated or truncated:
                break
        assert info["success"]


def test_failures_and_horizons_end_episodes() -> None:
    env = make_env("minigrid/LavaGapS5", cameras=False)
    env.reset(seed=0)
    outcomes = [env.step(word("forward")) for _ in range(2)]
    outcomes += [env.step(word("right")), env.step(word("forward"))]
    assert not any(outcome[4]["success"] for outcome in outcomes)
    short = make_env("babyai/GoToLocal", cameras=False, horizon=2)
    short.reset(seed=3)
    assert [short.step(word("done"))[3] for _ in range(2)] == [False, True]


def test_demonstrations_are_recorded(tmp_path: Path) -> None:
    summary = collect("babyai/GoToLocal", 2, 0, tmp_path / "set", noise=(0.0,), workers=1, progress=False)
    assert dict(summary.statuses) == {"success": 2}
    source = open_source(tmp_path / "set")
    assert source.embodiment.action.dimensions[0].words == WORDS
    assert source.embodiment.cameras[0].width == 112


def test_what_is_wrong_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownEnv, match="Did you mean 'babyai/GoToLocal'"):
        make_env("babyai/GoToLocl")
    with pytest.raises(EnvError, match="minigrid/DoorKey-8x8 has no scripted expert"):
        make_expert("minigrid/DoorKey-8x8", make_env("minigrid/DoorKey-8x8"))
    hard = sorted(BOT_FAILS)[0]
    with pytest.raises(EnvError, match="bot cannot solve this level"):
        make_expert(hard, make_env(hard))
    with pytest.raises(EnvError, match=r"call reset\(\) first"):
        make_env("babyai/GoToLocal").step(word("left"))
    env = make_env("babyai/GoToLocal", cameras=False)
    env.reset(seed=0)
    with pytest.raises(InvalidAction, match="'action' is 7"):
        env.step(np.array([7], np.float32))
    with pytest.raises(EnvError, match="horizon"):
        MinigridEnv(horizon=0)
    with pytest.raises(EnvError, match="render_mode"):
        MinigridEnv(render_mode="human")
    monkeypatch.delitem(sys.modules, "minigrid", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EnvError, match="minigrid is not installed: run `pip install minigrid`"):
        make_env("babyai/GoToLocal")

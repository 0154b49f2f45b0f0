"""VIMA's real benchmark, where VIMABENCH names a clone of it and what it imports is installed (docs/vima.md)."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from embodio.benchmarks.rollouts.rollout import main as rollout_main
from embodio.datasets.checks.replay import replay
from embodio.datasets.opening import open_source
from embodio.envs import SimulatorError, make_env, make_expert
from embodio.envs.vima.benchmark import start
from embodio.envs.vima.tasks import TASKS

CLONE = os.environ.get("VIMABENCH", "")
if CLONE and CLONE not in sys.path:
    sys.path.append(CLONE)
READY = bool(CLONE) and all(importlib.util.find_spec(name) for name in ("vima_bench", "pybullet", "kornia"))
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not READY, reason="set VIMABENCH to a clone of VIMA's benchmark")]
FOUR = ("visual_manipulation", "twist", "sweep_without_exceeding", "rearrange_then_restore")
Episode = tuple[list[np.ndarray], bool]


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing may be left in it, apart from what the test itself wrote."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert not [path.name for path in folder.iterdir() if "urdf" in path.name or "vima" in path.name]


def pictures(observation: Any) -> list[np.ndarray]:
    shown = [part for part in observation["instruction"] if not isinstance(part, str)]
    return [observation["front"], observation["top"], *shown]


def play(envs: dict[str, gymnasium.Env], seed: int) -> dict[str, Episode]:
    """The oracle's episodes in all environments, a step in each in turn: every picture, and whether it succeeds."""
    experts = {task: make_expert(f"vima/{task}", env) for task, env in envs.items()}
    seen = {task: env.reset(seed=seed)[0] for task, env in envs.items()}
    for expert in experts.values():
        expert.reset()
    played: dict[str, Episode] = {task: (pictures(seen[task]), False) for task in envs}
    running = set(envs)
    while running:
        for task in sorted(running):
            seen[task], _, terminated, truncated, info = envs[task].step(experts[task].act(seen[task]))
            played[task] = (played[task][0] + pictures(seen[task]), info["success"])
            running -= {task} if terminated or truncated else set()
    return played


def same(one: Episode, other: Episode) -> bool:
    return one[1] == other[1] and all(np.array_equal(a, b) for a, b in zip(one[0], other[0], strict=True))


def test_four_tasks_in_one_process_are_as_each_alone() -> None:
    alone: dict[str, Episode] = {}
    for task in FOUR:
        env = make_env(f"vima/{task}")
        alone |= play({task: env}, 3)
        env.close()
    assert all(success for _, success in alone.values())
    envs = {task: make_env(f"vima/{task}") for task in FOUR}
    together = play(envs, 3)
    assert [task for task in FOUR if not same(alone[task], together[task])] == []
    envs[FOUR[0]].close()  # the first client of the process
    assert same(play({FOUR[1]: envs[FOUR[1]]}, 3)[FOUR[1]], alone[FOUR[1]])
    for env in envs.values():
        env.close()
    vector = gymnasium.vector.SyncVectorEnv([lambda task=task: make_env(f"vima/{task}") for task in FOUR[:2]])
    observations, _ = vector.reset(seed=[3, 3])
    for place, task in enumerate(FOUR[:2]):
        assert np.array_equal(observations["top"][place], alone[task][0][1])
    vector.close()


@pytest.mark.parametrize("task", sorted(TASKS))
def test_the_oracle_solves_it_within_the_published_steps(task: str) -> None:
    env = make_env(f"vima/{task}")
    assert play({task: env}, 1)[task][1]
    env.close()


@pytest.mark.parametrize("task", sorted(TASKS))
def test_horizons_are_two_more_than_the_steps_of_the_oracle(task: str) -> None:
    for level in TASKS[task].levels:
        benchmark = start(task, level)
        assert benchmark.task.oracle_max_steps == TASKS[task].oracle_steps, level
        benchmark.close()


def test_the_clock_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    env, now = make_env("vima/rotate"), time.time
    monkeypatch.setattr(time, "time", lambda: 100 * now())  # a machine that is a hundred times slower
    assert play({"rotate": env}, 2)["rotate"][1]
    env.close()


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    env = make_env("vima/scene_understanding")
    play({"scene_understanding": env}, 1)
    env.close()
    assert capfd.readouterr().out == ""


def test_starting_it_warns_of_nothing(recwarn: pytest.WarningsRecorder) -> None:
    env = make_env("vima/rotate")
    env.reset(seed=1)
    env.close()
    assert [str(warning.message) for warning in recwarn if "gymnasium" in warning.filename] == []


def test_a_lost_client_is_not_tried_with_ten_seeds() -> None:
    env = make_env("vima/rotate")
    env.reset(seed=1)
    sys.modules["pybullet"].disconnect(physicsClientId=env.benchmark.client_id)
    with pytest.raises(SimulatorError, match="resetting to seed 2 failed"):
        env.reset(seed=2)
    assert env.reset(seed=2)[1]["seed"] == 2
    env.close()


def test_recordings_of_the_oracle_are_replayed(tmp_path: Path) -> None:
    common = ["agent=expert", "env=vima/twist/L2", "episodes=2", "seed=1", "video=0"]
    assert rollout_main([*common, f"record={tmp_path / 'data'}", f"out={tmp_path / 'run'}"]) == 0
    findings = replay(open_source(tmp_path / "data"), range(2))
    assert [finding.status for finding in findings] == ["ok", "ok"]
    assert findings[0].found == "2 of 2 episodes end as recorded, 2 succeed"

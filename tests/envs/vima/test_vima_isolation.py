"""Environments of VIMA's benchmark that share a process, a clock and a temporary folder, against the stand-in."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
import time
import types
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from embodio.envs import SimulatorError, make_env, make_expert, rollout
from embodio.envs.vima.isolation import MOTION_STEPS, isolate
from embodio.envs.vima.native_output import silenced
from tests.support.envs.fake_vima_bench import STUCK, install


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    yield install(monkeypatch)


def solve(env: gymnasium.Env, seed: int) -> tuple[list[np.ndarray], bool]:
    """Pictures and outcome of the oracle's episode."""
    expert = make_expert("vima/rotate", env)
    observation, _ = env.reset(seed=seed)
    expert.reset()
    after, _, _, _, info = env.step(expert.act(observation))
    return [observation["top"], observation["front"], after["top"]], info["success"]


def test_the_stand_in_is_disturbed_where_it_is_not_isolated(bench, monkeypatch) -> None:
    monkeypatch.setattr("embodio.envs.vima.benchmark.isolate", lambda package: None)
    envs = [make_env("vima/rotate") for _ in range(2)]
    (lone, success), (shared, disturbed) = (solve(env, 3) for env in envs)
    assert success and not disturbed and not np.array_equal(lone[0], shared[0])


def test_environments_of_one_process_do_not_disturb_each_other(bench) -> None:
    alone = make_env("vima/rotate")
    expected = [solve(alone, seed) for seed in (1, 2, 3)]
    alone.close()
    envs = [make_env("vima/rotate") for _ in range(3)]
    for env in envs:
        env.reset(seed=7)
    for env, seed, (pictures, success) in zip(envs, (1, 2, 3), expected, strict=True):
        found, solved = solve(env, seed)
        assert solved and success and all(np.array_equal(a, b) for a, b in zip(found, pictures, strict=True))
    envs[0].close()
    assert solve(envs[1], 2)[1] and solve(envs[0], 1)[1]


def test_environments_of_several_threads(bench) -> None:
    envs = [make_env("vima/rotate") for _ in range(4)]
    solved = list[bool]()
    threads = [
        threading.Thread(target=lambda env=env, seed=seed: solved.append(solve(env, seed)[1]))
        for seed, env in enumerate(envs, start=1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert solved == [True] * 4


def test_a_vector_of_different_tasks(bench) -> None:
    tasks = ("rotate", "twist", "sweep_without_exceeding", "same_shape")
    vector = gymnasium.vector.SyncVectorEnv([lambda task=task: make_env(f"vima/{task}") for task in tasks])
    observations, _ = vector.reset(seed=[1, 2, 3, 4])
    experts = [make_expert(f"vima/{task}", env) for task, env in zip(tasks, vector.envs, strict=True)]
    for expert in experts:
        expert.reset()
    actions = [expert.act({"state": observations["state"][i]}) for i, expert in enumerate(experts)]
    assert vector.step(np.stack(actions))[4]["success"].all()
    vector.close()


def test_clients_and_files_are_gone_when_it_is_closed(bench) -> None:
    before = set(os.listdir(tempfile.gettempdir()))
    env = make_env("vima/rotate")
    solve(env, 1)
    solve(env, 2)
    written = Path(bench.made[0].scene_file)
    assert written.exists() and written.parent != Path(tempfile.gettempdir())
    assert list(bench.p.worlds) == [0]  # not the one that the benchmark forgot
    env.close()
    assert not written.parent.exists() and not bench.p.worlds
    assert not [name for name in set(os.listdir(tempfile.gettempdir())) - before if "urdf" in name]


def test_a_dropped_environment_leaves_nothing(bench) -> None:
    env = make_env("vima/rotate")
    env.reset(seed=1)
    folder = Path(bench.made[0].scene_file).parent
    del env
    assert not folder.exists() and not bench.p.worlds


def test_motions_take_simulation_steps_and_not_seconds(bench, monkeypatch) -> None:
    clock = iter(range(0, 10**9, 60))
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))  # a machine on which every glance takes a minute
    env = make_env("vima/rotate")
    assert solve(env, 1)[1]


def test_a_motion_without_end_is_the_simulators_error(bench) -> None:
    env = make_env("vima/rotate")

    class Presses:
        def reset(self, instruction=None) -> None:
            pass

        def act(self, observation) -> np.ndarray:
            return np.float32([0, 0.5, 0, 0, *STUCK, 0])

    (result,) = rollout(env, Presses(), [1])
    assert result.status == "error" and f"within {MOTION_STEPS} simulation steps" in result.message
    assert bench.made[0].closed


@pytest.mark.parametrize(
    "fault", [OSError("no space left"), RuntimeError("no physics"), AttributeError("load"), "physics"], ids=str
)
def test_an_error_that_no_seed_mends_is_not_tried_again(bench, monkeypatch, fault) -> None:
    env = make_env("vima/rotate")
    env.reset(seed=1)
    tries = 0

    def fail() -> None:
        nonlocal tries
        tries += 1
        raise bench.p.error("Not connected to physics server.") if fault == "physics" else fault

    monkeypatch.setattr(bench.made[0], "reset", fail)
    with pytest.raises(SimulatorError, match="resetting to seed 5 failed"):
        env.reset(seed=5)
    assert tries == 1 and bench.made[0].closed
    assert env.reset(seed=5)[1]["seed"] == 5


def test_lost_physics_are_named_and_the_next_reset_recovers(bench) -> None:
    env = make_env("vima/rotate")
    expert = make_expert("vima/rotate", env)
    observation, _ = env.reset(seed=1)
    expert.reset()
    action = expert.act(observation)
    for use in (lambda: env.step(action), lambda: env.reset(seed=2)):
        env.reset(seed=1)
        folder = Path(bench.made[-1].scene_file).parent
        bench.p.disconnect(physicsClientId=bench.made[-1].client_id)
        with pytest.raises(SimulatorError, match=r"(stepping|resetting).*Not connected to physics server"):
            use()
        assert not folder.exists()
        assert solve(env, 1)[1]
    bench.p.disconnect(physicsClientId=bench.made[-1].client_id)
    env.close()


def test_a_benchmark_that_does_not_start_leaves_nothing(bench, monkeypatch) -> None:
    def half(*_, **__) -> None:
        bench.p.connect(bench.p.DIRECT)
        raise RuntimeError("pybullet: cannot load FileIO!")

    monkeypatch.setattr(bench, "make", half)
    with pytest.raises(SimulatorError, match="starting the benchmark failed: RuntimeError: pybullet: cannot load"):
        make_env("vima/rotate").reset(seed=1)
    assert not bench.p.worlds


def test_nothing_is_printed(bench, capfd, caplog) -> None:
    caplog.set_level(logging.DEBUG, logger="embodio.envs.vima")
    env = make_env("vima/rotate")
    solve(env, 1)
    env.close()
    assert capfd.readouterr() == ("", "")
    assert "Warning: 1 repeated sampling" in caplog.text


def test_what_was_printed_before_and_after_is_kept(capfd) -> None:
    os.write(1, b"before ")
    with silenced():
        os.write(1, b"lost ")
    os.write(1, b"after")
    assert capfd.readouterr().out == "before after"


def test_calls_outside_of_an_environment_pass_through(bench) -> None:
    isolate("vima_bench")
    client = bench.p.connect(bench.p.DIRECT)
    bench.p.loadURDF("arm.urdf")
    assert bench.p.getVisualShapeData(0, physicsClientId=client)[0][0] == 0
    bench.p.disconnect()
    assert bench.tempfile.gettempdir() == tempfile.gettempdir() and abs(bench.time.time() - time.time()) < 60
    assert bench.time.monotonic() and sys.modules["pybullet"].error is bench.p.error

"""Recordings of VIMA's oracle and of agents there, and `embodio-data verify` on them, against the stand-in."""

from __future__ import annotations

import types
from pathlib import Path

import numpy as np
import pytest

from embodio.benchmarks.rollouts.rollout import main
from embodio.datasets.checks.replay import replay
from embodio.datasets.opening import open_source
from embodio.envs.errors import SimulatorError
from embodio.envs.vima.env import VimaEnv
from tests.support.envs.fake_vima_bench import install


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    return install(monkeypatch)


def record(folder: Path, *more: str) -> int:
    common = ("agent=expert", "env=vima/twist/L2", "episodes=3", "seed=1", "video=0")
    return main([*common, f"record={folder / 'data'}", f"out={folder / 'run'}", *more])


def test_the_oracle_is_recorded_and_replayed(bench, tmp_path: Path) -> None:
    assert record(tmp_path) == 0
    source = open_source(tmp_path / "data")
    assert len(source) == 3
    for number in range(3):
        episode = source.episode(number)
        assert episode.metadata["success"] and episode.metadata["environment"] == "vima/twist/L2"
        # nothing is left to do at the end, so the record ends with the last action
        assert len(episode) == 1 and episode.array("is_last").tolist() == [True]
        assert np.isfinite(episode.array("action")).all()
    made = len(bench.made)
    findings = replay(source, range(3))
    assert (findings[0].status, findings[0].found) == ("ok", "3 of 3 episodes end as recorded, 3 succeed")
    assert findings[1].status == "ok"
    assert [(env.task.task_name, env.skipped_oracle[0]) for env in bench.made[made:]] == [("twist", False)]


def test_a_recording_that_fails_fails_the_command(bench, tmp_path: Path, monkeypatch, capsys) -> None:
    step, broken = VimaEnv.step, [2]

    def breaks(self: VimaEnv, action):
        if self.benchmark.global_seed[0] in broken:
            raise SimulatorError("the arm is stuck")
        return step(self, action)

    monkeypatch.setattr(VimaEnv, "step", breaks)
    assert record(tmp_path) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "1 of 3 episodes are missing from" in told and "Seed 2: the arm is stuck" in told
    assert len(open_source(tmp_path / "data")) == 2
    broken.clear()
    assert record(tmp_path, "restart=true") == 0
    assert len(open_source(tmp_path / "data")) == 3


def test_a_name_out_of_the_data_imports_nothing(bench, tmp_path: Path, monkeypatch) -> None:
    assert record(tmp_path) == 0
    made = list[str]()
    real = replay.__globals__["make_env"]
    monkeypatch.setitem(replay.__globals__, "make_env", lambda name, **kw: made.append(name) or real(name, **kw))
    monkeypatch.setitem(
        replay.__globals__, "_recorded", lambda episode, name: {"environment": "os:system", "seed": 1}.get(name, True)
    )
    assert replay(open_source(tmp_path / "data"), [0])[0].status == "unknown"
    assert made == ["vima/True/train"]

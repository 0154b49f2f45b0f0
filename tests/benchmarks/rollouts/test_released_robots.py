"""Rollouts of released weights: the command names the robot, and the results which weights played."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from embodio.benchmarks import doctor
from embodio.benchmarks.rollouts.rollout import main
from tests.support.agent.released import write_released
from tests.support.envs.fake_vima_bench import install


def test_released_weights_play_in_vimas_benchmark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch)
    weights, out = write_released(tmp_path / "uio2"), tmp_path / "run"
    command = [f"agent={weights}", "env=vima/rotate", "episodes=1", "seed=3", "video=0", "threads=1", f"out={out}"]
    assert main(command) == 1
    assert "network without a robot" in capsys.readouterr().err
    assert main([*command, "robot=vima"]) == 0
    results = json.loads((out / "results.json").read_text())
    assert results["settings"]["robot"] == results["agent"]["robot"] == "vima"
    assert list(results["agent"]["sha256"]) == ["model.safetensors"]
    assert [row["status"] for row in results["episodes"]] in (["timeout"], ["failure"], ["success"])
    assert "robot=vima" in (out / "report.html").read_text()
    for env, verdict in (("vima/rotate", "ok"), ("tests.support.agent.toy_env:ToyEnv", "wrong")):
        config = doctor.DoctorConfig(agent=str(weights), env=env, robot="vima")
        assert {f.subject: f.verdict for f in doctor.checkpoint(config)}["environment"] == verdict

"""Robustness: rows by hand, and the command that plays one condition after the other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from embodio.benchmarks.errors import ComparisonError
from embodio.benchmarks.rollouts import player as player_module
from embodio.benchmarks.rollouts.comparison.robust import robustness
from embodio.benchmarks.rollouts.comparison.runs import read_runs
from embodio.benchmarks.rollouts.results import Results
from embodio.benchmarks.rollouts.rollout import RolloutConfig, main
from embodio.benchmarks.statistics.paired import PairedTable, newcombe_interval
from embodio.train.command_line import job_settings
from embodio.train.command_line.schema import UsageError
from tests.support.benchmarks.fake_world import FakeEnv, FakePolicy
from tests.support.benchmarks.run_folders import write_run
from tests.support.envs.small_mujoco import EMBODIMENT


class Arm(FakeEnv):
    """Without a MuJoCo scene."""

    embodiment = EMBODIMENT  # type: ignore[assignment]


def fake_world(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Lets environments be fake ones; returns the perturbations with which episodes are played."""
    made: list[str] = []

    def make_env(name: str, perturb: str = "", **options: Any) -> Arm:
        made.append(perturb)
        return Arm(**options)

    monkeypatch.setattr(job_settings, "make_env", lambda name: Arm())
    monkeypatch.setattr(player_module, "make_env", make_env)
    monkeypatch.setattr(player_module, "make_expert", lambda name, env: FakePolicy())
    return made


def test_rows_by_hand(tmp_path: Path) -> None:
    write_run(tmp_path / "none", "mine", "ssssssss")
    write_run(tmp_path / "camera-3", "mine", "sssssssf", perturb="camera:3")
    write_run(tmp_path / "light-3", "mine", "ffffffte", perturb="light:3")
    plain, camera, light = robustness(read_runs(tmp_path))
    assert [row.condition for row in (plain, camera, light)] == ["none", "camera:3", "light:3"]
    assert plain.summary.success_rate == 1.0 and light.summary.counts["error"] == 1
    assert camera.difference == -1 / 8 and camera.p_corrected == 1.0
    assert light.difference == -1.0 and light.p_corrected == 2 * 2 / 2**7, "Holm: the smaller of two is doubled"
    assert camera.interval == newcombe_interval(PairedTable(7, 0, 1, 0))


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    write_run(tmp_path / "camera-3", "mine", "ss", perturb="camera:3")
    with pytest.raises(ComparisonError, match="no rollout of fake without perturbations"):
        robustness(read_runs(tmp_path))
    write_run(tmp_path / "camera-3", "mine", "ss")
    with pytest.raises(ComparisonError, match="no rollout of perturbations"):
        robustness(read_runs(tmp_path))


def test_one_condition_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = fake_world(monkeypatch)
    monkeypatch.setenv("COLUMNS", "200")
    arguments = ["agent=expert", "env=fake", "episodes=6", "seed=600", "video=0", f"out={tmp_path}"]
    assert main([*arguments, "perturb=noise,blur:1+delay", "level=2"]) == 0
    assert made == ["", "noise:2", "blur:1+delay:2"]
    shown = capsys.readouterr().out
    assert "blur:1+delay:2" in shown and "3 of 5" in shown
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["blur-1+delay-2", "noise-2", "none"]
    assert Results.load(tmp_path / "noise-2" / "results.json").settings["perturb"] == "noise:2"
    assert [row["condition"] for row in json.loads((tmp_path / "robustness.json").read_text())["rows"]] == [
        "none", "blur:1+delay:2", "noise:2",
    ]  # fmt: skip
    assert "noise:2" in (tmp_path / "robustness.html").read_text()
    assert main(["robustness", str(tmp_path)]) == 0
    assert capsys.readouterr().out == shown
    assert main(["robustness", str(tmp_path / "nothing")]) == 1


def test_all_conditions_are_checked_before_one_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = fake_world(monkeypatch)
    arguments = ["agent=expert", "env=fake", "episodes=1", "seed=600", "video=0", f"out={tmp_path}"]
    assert main([*arguments, "perturb=noise,camera"]) == 1
    assert made == [] and not list(tmp_path.iterdir())
    assert "fake cannot have camera" in capsys.readouterr().err
    assert main([*arguments, "perturb=all"]) == 0
    assert made == ["", "blur:3", "delay:3", "noise:3", "start:3"]
    told = capsys.readouterr().err
    assert "camera, colour, distractors, light, texture left out" in told
    assert "wording left out: wording: there are no other wordings of 'lift the cube'" in told


def test_senseless_perturbations() -> None:
    for settings in ({"perturb": "fog"}, {"perturb": "camera:9"}, {"perturb": "camera", "level": 0}):
        with pytest.raises(UsageError, match=r"perturb: (no perturbation 'fog'|level '(9|0)' of camera)"):
            RolloutConfig(out=Path("x"), **settings)  # type: ignore[arg-type]

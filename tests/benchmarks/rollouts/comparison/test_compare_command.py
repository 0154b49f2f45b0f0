"""`embodio-rollout compare`: folders and agents, the table, the files, and stopping early."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from embodio.benchmarks.comparing.page import COMPARISON, PAGE
from embodio.benchmarks.rollouts import player as player_module
from embodio.benchmarks.rollouts.comparison.command import CompareConfig
from embodio.benchmarks.rollouts.results import Results
from embodio.benchmarks.rollouts.rollout import main
from tests.support.benchmarks.fake_world import FakeEnv, FakePolicy
from tests.support.benchmarks.run_folders import write_run


class AgentInName(FakeEnv):
    """An environment in which the agent "good" always succeeds and the others never."""

    def __init__(self, agent: list[str], **options: Any) -> None:
        super().__init__(**options)
        self._agent = agent

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        found = super().reset(seed=seed, options=options)
        self.outcome = "success" if self._agent[0] == "good" else "failure"
        return found


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Agents play in `AgentInName`; the list holds the last agent that was loaded."""
    agent = [""]

    def load(name: str, *_: Any, **__: Any) -> Any:
        agent[0] = name
        policy = FakePolicy()
        policy.info = {"sha256": {}}  # type: ignore[attr-defined]
        return policy

    monkeypatch.setattr(player_module, "make_env", lambda name, **options: AgentInName(agent, **options))
    monkeypatch.setattr(player_module.Agent, "load", load)
    return agent


def test_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    write_run(tmp_path / "a", "<mine>", "s" * 8)
    write_run(tmp_path / "b", "yours", "f" * 8)
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), f"out={tmp_path / 'out'}"]) == 0
    shown = capsys.readouterr()
    assert "A is better" in shown.out and "8 : 0" in shown.out and "0.0078" in shown.out
    assert "comparison.html" in shown.err
    data = json.loads((tmp_path / "out" / COMPARISON).read_text())
    assert data["tasks"][0]["table"] == {"both": 0, "only_a": 8, "only_b": 0, "neither": 0}
    assert data["tasks"][0]["verdict"] == {"word": "better", "more": None}
    page = (tmp_path / "out" / PAGE).read_text()
    assert "&lt;mine&gt;" in page and "<mine>" not in page and "A is better" in page and "<svg" in page
    assert f"embodio-rollout compare {tmp_path}/a {tmp_path}/b out={tmp_path}/out margin=0.05" in page


def test_what_is_missing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(tmp_path)]) == 2
    assert "'b' must be given" in capsys.readouterr().err
    assert main(["compare", str(tmp_path), "lift-nano"]) == 1
    assert "holds no rollout" in capsys.readouterr().err
    assert main(["compare", "a", "b", "env=[fake]"]) == 2
    assert "out=runs/comparison" in capsys.readouterr().err
    assert main(["compare", "a", "a", "env=[fake]", f"out={tmp_path}"]) == 1
    assert "A and B are both a" in capsys.readouterr().err
    assert main(["compare", "a", "b", "alpha=1.0"]) == 2
    assert "alpha" in capsys.readouterr().err


def test_agents_are_played_on_the_same_seeds(tmp_path: Path, played: list[str]) -> None:
    arguments = ["compare", "good", "bad", "env=[x,y]", "episodes=3", "seed=7", f"out={tmp_path}"]
    assert main(arguments) == 0
    data = json.loads((tmp_path / COMPARISON).read_text())
    assert [task["table"]["only_a"] for task in data["tasks"]] == [3, 3]
    assert data["pooled"]["pairs"] == 6 and data["pooled"]["p_value"] == 2 / 64
    assert [row.seed for row in Results.load(tmp_path / "a" / "x" / "results.json").rows] == [7, 8, 9]
    played[0] = "nobody"
    assert main(arguments) == 0, "resumed, so nobody plays again"
    assert json.loads((tmp_path / COMPARISON).read_text()) == data


def test_it_stops_once_a_difference_is_found(tmp_path: Path, played: list[str]) -> None:
    arguments = ["compare", "good", "bad", "env=[x]", "episodes=100", "sequential=true", "look=4", f"out={tmp_path}"]
    assert main(arguments) == 0
    data = json.loads((tmp_path / COMPARISON).read_text())
    assert data["pooled"]["pairs"] == 8, "eight in a row are evidence of 256 / 9"
    assert data["pooled"]["verdict"]["word"] == "better" and data["sequential"] is True


def test_the_command_on_the_page_makes_the_same_comparison() -> None:
    config = CompareConfig(
        "x", "y", Path("o"), margin=0, power=0.9, sequential=True, look=5, env=("a/b",), episodes=1, seed=0
    )
    settings = "env=[a/b] out=o margin=0 alpha=0.05 power=0.9 judge=last sequential=true look=5 episodes=1 seed=0"
    assert shlex.split(config.command) == ["embodio-rollout", "compare", "x", "y", *settings.split()]


def test_both_agents_act_as_the_robot_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, played: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    robots = list[str]()
    load = player_module.Agent.load

    def noting(name: str, *given: Any, **options: Any) -> Any:
        robots.append(options["robot"])
        return load(name, *given, **options)

    monkeypatch.setattr(player_module.Agent, "load", noting)
    command = ["compare", "good", "bad", "env=[fake]", "episodes=2", "robot=arm", f"out={tmp_path}"]
    assert main(command) == 0
    assert robots == ["arm", "arm"]
    assert "robot=arm" in (tmp_path / PAGE).read_text()
    assert main(["compare", "good", "bad", "robot=arm"]) == 2
    assert "robot: rollouts that exist have theirs" in capsys.readouterr().err

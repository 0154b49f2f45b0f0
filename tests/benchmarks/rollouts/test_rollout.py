"""embodio-rollout: outcomes, resuming, and what it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from embodio.benchmarks.errors import ResultsError
from embodio.benchmarks.rollouts import player as player_module
from embodio.benchmarks.rollouts.play import rollout
from embodio.benchmarks.rollouts.results import Results
from embodio.benchmarks.rollouts.rollout import RolloutConfig, main
from embodio.train.command_line.schema import UsageError
from tests.support.benchmarks.fake_world import OUTCOMES, FakeEnv, FakePolicy
from tests.support.benchmarks.recorded import EXPERT_ENV
from tests.support.benchmarks.rollouts import SEED, play
from tests.support.datasets.tiny_corpus import write_tiny_corpus


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Puts a fake world in the place of simulator and expert; its `policy` can be exchanged."""
    things: dict[str, Any] = {"policy": FakePolicy(), "envs": []}

    def make_env(name: str, **kwargs: Any) -> FakeEnv:
        things["envs"].append(FakeEnv(**kwargs))
        return things["envs"][-1]

    monkeypatch.setattr(player_module, "make_env", make_env)
    monkeypatch.setattr(player_module, "make_expert", lambda name, env: things["policy"])
    return things


def test_every_outcome_is_told_apart(tmp_path: Path, world: dict[str, Any]) -> None:
    results = play(tmp_path)
    assert [row.status for row in results.rows] == list(OUTCOMES.values())
    assert [row.seed for row in results.rows] == list(range(SEED, SEED + 6))
    assert [row.steps for row in results.rows] == [3, 3, 3, 3, 1, 3]
    assert results.rows[4].message == "the <world> fell apart & burned"
    assert results.summary.success_rate == pytest.approx(3 / 5)
    assert results.latency is not None
    assert results.latency.count == 5 * 3 + 2
    assert set(world["policy"].instructions) == {"lift the cube"}
    assert world["envs"][0].closed


def test_an_agent_is_told_by_a_voice(tmp_path: Path, world: dict[str, Any]) -> None:
    corpus = write_tiny_corpus(tmp_path / "corpus", ("validation",), "lift the cube")
    results = play(tmp_path / "out", spoken=str(corpus / "commands" / "validation"))
    assert [row.steps for row in results.rows] == [3, 3, 3, 3, 1, 3]
    assert all(len(sound) == 8000 and rate == 16000 for sound, rate in world["policy"].instructions)
    with pytest.raises(ResultsError, match="spoken"):
        play(tmp_path / "out")


def test_files(tmp_path: Path, world: dict[str, Any]) -> None:
    play(tmp_path, video=2, horizon=4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latency.csv", "report.html", "results.json", "videos"]
    videos = sorted(path.name for path in (tmp_path / "videos").iterdir())
    assert videos == ["fake-expert-seed602-failure.mp4", "fake-expert-seed603-timeout.mp4"]
    data = json.loads((tmp_path / "results.json").read_text())
    assert [row["video"] for row in data["episodes"]] == [None, None, *videos, None, None]
    assert set(data["episodes"][0]) >= {"seed", "status", "steps", "seconds", "message"}
    assert data["settings"]["horizon"] == 4
    assert data["episodes"][0]["steps"] == 4
    assert {"python", "torch", "mujoco", "robosuite", "embodio"} <= set(data["versions"])
    assert set(data["act_milliseconds"]) >= {"p50", "p95", "p99"}
    assert "sha256" in data["agent"]
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:video/mp4;base64,") == 2
    assert f"embodio-rollout agent=expert env=fake episodes=6 seed=600 horizon=4 video=2 out={tmp_path}" in page


def test_an_interrupt_loses_the_running_episode_only(tmp_path: Path, world: dict[str, Any]) -> None:
    world["policy"] = FakePolicy(interrupt_at=3)
    with pytest.raises(KeyboardInterrupt):
        play(tmp_path)
    assert len(Results.load(tmp_path / "results.json").rows) == 3
    assert (tmp_path / "report.html").exists()
    world["policy"] = FakePolicy()
    results = play(tmp_path)
    assert len(world["policy"].instructions) == 3
    assert [row.status for row in results.rows] == list(OUTCOMES.values())
    assert results.latency is not None
    assert results.latency.count == 5 * 3 + 2


def test_more_episodes_are_added(tmp_path: Path, world: dict[str, Any]) -> None:
    play(tmp_path, episodes=2)
    world["policy"] = FakePolicy()
    assert len(play(tmp_path, episodes=5).rows) == 5
    assert len(world["policy"].instructions) == 3
    play(tmp_path, episodes=5)
    assert len(world["policy"].instructions) == 3


def test_another_run_is_refused_or_restarted(tmp_path: Path, world: dict[str, Any]) -> None:
    play(tmp_path, episodes=2, video=2)
    (tmp_path / "mine.txt").write_text("keep me")
    for change in ({"seed": 7}, {"horizon": 2}, {"env": "other"}):
        with pytest.raises(ResultsError, match=next(iter(change))):
            play(tmp_path, **change)
    results = play(tmp_path, episodes=1, seed=7, restart=True)
    assert [row.seed for row in results.rows] == [7]
    assert list((tmp_path / "videos").iterdir()) == []
    assert (tmp_path / "mine.txt").exists()


def test_a_bug_of_the_policy_is_no_outcome(tmp_path: Path, world: dict[str, Any]) -> None:
    def broken(observation: Any) -> Any:
        raise ZeroDivisionError

    world["policy"].act = broken
    with pytest.raises(ZeroDivisionError):
        play(tmp_path)
    assert Results.load(tmp_path / "results.json").rows == []


def test_command_line(tmp_path: Path, world: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["agent=expert", "env=fake", "episodes=2", "video=0", f"out={tmp_path}"]
    assert main(arguments) == 0
    shown = capsys.readouterr().err
    assert "success rate" in shown
    assert (tmp_path / "report.html").resolve().as_uri() in shown
    assert main([*arguments, "seed=5"]) == 1
    assert "restart=true" in capsys.readouterr().err
    assert main([*arguments, "episods=5"]) == 2
    assert "'episodes'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "values",
    [{"episodes": 0}, {"seed": -1}, {"video": -1}, {"workers": 0}, {"threads": -1}, {"horizon": 0}, {"replan": -2}],
)
def test_senseless_settings(values: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=next(iter(values))):
        RolloutConfig(out=Path("x"), **values)


def test_unknown_names_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"out={tmp_path}", "env=robosuite/lft", "agent=expert"]) == 1
    assert "robosuite/lift" in capsys.readouterr().err
    assert main([f"out={tmp_path}", "agent=lift-nanno"]) == 1
    error = capsys.readouterr().err
    assert "lift-nanno" in error
    assert "Traceback" not in error


def test_failures_keep_their_videos_first(tmp_path: Path, world: dict[str, Any]) -> None:
    def seeds() -> list[int]:
        kept = {row.video: row.seed for row in Results.load(tmp_path / "results.json").rows if row.video}
        assert set(kept) == {path.name for path in (tmp_path / "videos").iterdir()}
        return sorted(seed - SEED for seed in kept.values())

    play(tmp_path, episodes=2, video=3)
    assert seeds() == [0, 1], "as long as nothing failed, the first ones"
    play(tmp_path, episodes=6, video=3)
    assert seeds() == [2, 3, 4], "a failure, a timeout, and what broke"
    play(tmp_path, episodes=12, video=3)
    assert seeds() == [2, 3, 8]
    world["envs"].clear()
    filmed = [frame for frame in (play(tmp_path, episodes=18, video=3)).rows[12:] if frame.video]
    assert seeds() == [2, 3, 8] and not filmed, "three failures are there, so nothing more is filmed"


def test_list_shows_environments(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "match=robosuite"]) == 0
    shown = capsys.readouterr().out
    assert "robosuite/lift" in shown and "agentview" in shown and "vima" not in shown


def test_two_workers_play_what_one_plays(tmp_path: Path) -> None:
    one, two = (play(tmp_path / str(count), env=EXPERT_ENV, workers=count, video=1) for count in (1, 2))
    assert [(row.seed, row.status, row.steps, row.video) for row in two.rows] == [
        (row.seed, row.status, row.steps, row.video) for row in one.rows
    ]
    assert len(two.rows) == 6 and len({row.status for row in two.rows}) > 1
    names = [[path.name for path in (tmp_path / count / "videos").iterdir()] for count in ("1", "2")]
    assert names[0] == names[1] and len(names[0]) == 1


@pytest.mark.slow
@pytest.mark.sim
def test_expert_in_two_workers(tmp_path: Path) -> None:
    results = rollout(
        RolloutConfig(out=tmp_path, agent="expert", episodes=2, seed=41, video=1, workers=2), Console(quiet=True)
    )
    assert [(row.seed, row.status) for row in results.rows] == [(41, "success"), (42, "success")]
    assert [path.name for path in (tmp_path / "videos").iterdir()] == ["robosuite-lift-expert-seed41-success.mp4"]

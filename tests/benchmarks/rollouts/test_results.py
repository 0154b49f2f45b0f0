"""results.json: figures, round trip, damage, and the refusal to mix runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from embodio.benchmarks.errors import ResultsError
from embodio.benchmarks.rollouts.latency import Latency
from embodio.benchmarks.rollouts.results import Results
from embodio.benchmarks.rollouts.summary import EpisodeRow, summarise

SETTINGS = {"agent": "a", "env": "e", "seed": 1, "replan": None}
AGENT = {"name": "a", "sha256": {"model.safetensors": "00"}}


def rows_of(*statuses: str) -> list[EpisodeRow]:
    return [
        EpisodeRow(seed, status, 10 + seed, 1.5, first_success=9 if status == "success" else None)
        for seed, status in enumerate(statuses)
    ]


def results_of(*statuses: str) -> Results:
    return Results(dict(SETTINGS), dict(AGENT), {"python": "3"}, {"cores": "2"}, Latency.of([1.0]), rows_of(*statuses))


def test_errors_are_no_failures() -> None:
    summary = summarise(rows_of("success", "failure", "timeout", "error", "success", "abstained"))
    assert summary.counts == {"success": 2, "failure": 1, "timeout": 1, "error": 1, "abstained": 1}
    assert summary.success_rate == 0.4
    assert summary.wilson_95 == summarise(rows_of("success", "failure", "timeout", "success", "abstained")).wilson_95
    assert summary.mean_steps == 12
    assert summary.episodes == 6


def test_done_at_any_step_is_more_than_done_at_the_last() -> None:
    undone = [*rows_of("success", "failure", "error"), EpisodeRow(3, "timeout", 90, 1.0, first_success=40)]
    undone.append(EpisodeRow(4, "error", 90, 1.0, first_success=40))
    summary = summarise(undone)
    assert (summary.success_rate, summary.any_step_rate) == (pytest.approx(1 / 3), pytest.approx(2 / 3))


def test_success_is_weighted_by_the_length_of_the_way(tmp_path: Path) -> None:
    ways = [("success", 5.0, 5.0), ("success", 10.0, 5.0), ("failure", 3.0, 5.0), ("timeout", 99.0, 5.0)]
    rows = [
        EpisodeRow(seed, status, 9, 1.0, path=path, shortest=short) for seed, (status, path, short) in enumerate(ways)
    ]
    summary = summarise([*rows, EpisodeRow(9, "error", 0, 1.0)])
    assert summary.spl == pytest.approx((1 + 0.5) / 4) and "SPL" in summary.definition
    assert summary.spl_95 is not None and 0 <= summary.spl_95[0] < summary.spl < summary.spl_95[1] <= 1
    assert summarise(rows[:1]).spl_in_words == "1.000" and summarise(rows[:1]).spl_95 is None
    without = summarise([*rows, EpisodeRow(9, "success", 9, 1.0)])
    assert without.spl is None and "SPL" not in without.definition
    results = Results(dict(SETTINGS), dict(AGENT), {}, {}, None, rows)
    results.save(tmp_path / "results.json")
    assert Results.load(tmp_path / "results.json") == results
    assert json.loads((tmp_path / "results.json").read_text())["summary"]["spl"] == summary.spl


def test_without_episodes_there_is_no_rate() -> None:
    for summary in (summarise([]), summarise(rows_of("error"))):
        assert summary.success_rate is None and summary.any_step_rate is None
        assert summary.wilson_95 == (0.0, 1.0)


def test_round_trip(tmp_path: Path) -> None:
    results = results_of("success", "error")
    results.add(EpisodeRow(-1, "timeout", 200, 9.0, 'odd "message"\n', "v.mp4"))
    results.save(tmp_path / "results.json")
    assert Results.load(tmp_path / "results.json") == results
    data = json.loads((tmp_path / "results.json").read_text())
    assert [row["seed"] for row in data["episodes"]] == [-1, 0, 1]
    assert data["summary"]["success_rate"] == 0.5
    assert data["summary"]["counts"]["error"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_no_rows_is_valid_json(tmp_path: Path) -> None:
    results_of().save(tmp_path / "results.json")
    assert Results.load(tmp_path / "results.json").rows == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"version": 1, "episodes": [{"seed": 1}]}',
        '{"version": 1, "episodes": 3}',
        '{"version": 9}',
    ],
)
def test_damage_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(ResultsError, match=r"results\.json.*another folder"):
        Results.load(path)


def test_an_unknown_status_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    results_of("success").save(path)
    path.write_text(path.read_text().replace('"status": "success"', '"status": "triumph"'))
    with pytest.raises(ResultsError, match="triumph"):
        Results.load(path)


@pytest.mark.parametrize("video", ["../agent.mp4", "/tmp/x.mp4", "a/b.mp4", "..", ".x.mp4", "x.txt", "", 7])
def test_a_video_elsewhere_is_damage(tmp_path: Path, video: object) -> None:
    path = tmp_path / "results.json"
    results_of("success").save(path)
    data = json.loads(path.read_text())
    data["episodes"][0]["video"] = video
    path.write_text(json.dumps(data))
    with pytest.raises(ResultsError, match=r"results\.json is damaged"):
        Results.load(path)


def test_other_runs_are_refused(tmp_path: Path) -> None:
    results = results_of("success")
    results.require_same(SETTINGS, AGENT, tmp_path)
    with pytest.raises(ResultsError, match=r"seed is 1 there, 2 was asked for.*out=.*restart=true"):
        results.require_same({**SETTINGS, "seed": 2}, AGENT, tmp_path)
    with pytest.raises(ResultsError, match=r"agent\.sha256.*00.*11"):
        results.require_same(SETTINGS, {"name": "a", "sha256": {"model.safetensors": "11"}}, tmp_path)

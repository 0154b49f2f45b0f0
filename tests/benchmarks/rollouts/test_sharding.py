"""Shards of a rollout: together they are the rollout; a missing, unfinished or doubled one is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from embodio.benchmarks.errors import ResultsError
from embodio.benchmarks.rollouts import player as player_module
from embodio.benchmarks.rollouts.results import Results
from embodio.benchmarks.rollouts.rollout import RolloutConfig, main
from embodio.benchmarks.rollouts.sharding import merge
from embodio.benchmarks.rollouts.summary import EpisodeRow
from embodio.datasets.opening import open_source
from embodio.datasets.recording.merging import merge_collections
from embodio.train.command_line.schema import UsageError
from tests.support.benchmarks.recorded import MovingPolicy, SeeingEnv
from tests.support.benchmarks.rollouts import SEED, play


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(player_module, "make_env", lambda name, **kwargs: SeeingEnv(**kwargs))
    monkeypatch.setattr(player_module, "make_expert", lambda name, env: MovingPolicy())


def timeless(rows: list[EpisodeRow]) -> list[EpisodeRow]:
    return [replace(row, seconds=0.0) for row in rows]


def test_shards_together_are_the_rollout(tmp_path: Path) -> None:
    whole = play(tmp_path / "whole", episodes=7, video=2)
    for number in (3, 1, 2):
        play(tmp_path / "parts", episodes=7, video=2, shard=f"{number}/3")
    assert sorted(path.name for path in (tmp_path / "parts" / "shards").iterdir()) == ["1-of-3", "2-of-3", "3-of-3"]
    first = Results.load(tmp_path / "parts" / "shards" / "1-of-3" / "results.json")
    assert [row.seed - SEED for row in first.rows] == [0, 3, 6]
    merged = merge([tmp_path / "parts"], tmp_path / "parts")
    assert timeless([replace(row, video=None) for row in merged.rows]) == timeless(
        [replace(row, video=None) for row in whole.rows]
    )
    assert merged.settings == whole.settings and merged.latency is not None and whole.latency is not None
    assert merged.latency.count == whole.latency.count
    assert {row.video for row in whole.rows if row.video} <= {
        path.name for path in (tmp_path / "parts/videos").iterdir()
    }
    assert len(play(tmp_path / "parts", episodes=8).rows) == 8, "the merged rollout can be extended"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (1, 2):
        play(tmp_path / f"machine-{number}", episodes=3, shard=f"{number}/2")
    places = [str(tmp_path / f"machine-{number}") for number in (1, 2)]
    assert main(["merge", *places]) == 2
    assert "out=runs/whole" in capsys.readouterr().err
    assert main(["merge", *places, f"out={tmp_path / 'whole'}"]) == 0
    assert "success rate" in capsys.readouterr().err
    assert len(json.loads((tmp_path / "whole" / "results.json").read_text())["episodes"]) == 3
    assert "embodio-rollout merge" in (tmp_path / "whole" / "report.html").read_text()


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    play(tmp_path, episodes=6, shard="2/4")
    with pytest.raises(ResultsError, match="shards are missing: 1/4, 3/4, 4/4"):
        merge([tmp_path], tmp_path)


def test_two_shards_with_the_same_number_are_named(tmp_path: Path) -> None:
    for name in ("here", "there"):
        play(tmp_path / name, episodes=2, shard="1/2")
    with pytest.raises(ResultsError, match=r"here/shards/1-of-2 and .*there/shards/1-of-2 are both shard 1/2"):
        merge([tmp_path / "here", tmp_path / "there"], tmp_path / "out")


def test_shards_of_other_jobs_are_refused(tmp_path: Path) -> None:
    play(tmp_path, episodes=4, shard="1/2")
    play(tmp_path, episodes=4, shard="2/3")
    with pytest.raises(ResultsError, match=r"is shard 1/2 and .* is shard 2/3: they are parts of different jobs"):
        merge([tmp_path], tmp_path)
    play(tmp_path / "x", episodes=4, shard="1/2")
    play(tmp_path / "y", episodes=4, shard="2/2", horizon=2)
    with pytest.raises(ResultsError, match="y/shards/2-of-2 holds another run: horizon"):
        merge([tmp_path / "x", tmp_path / "y"], tmp_path / "out")
    play(tmp_path / "whole", episodes=1)
    with pytest.raises(ResultsError, match="whole is a whole rollout"):
        merge([tmp_path / "whole"], tmp_path / "out")
    with pytest.raises(ResultsError, match="nothing holds no"):
        merge([tmp_path / "nothing"], tmp_path / "out")


def test_an_unfinished_shard_is_named(tmp_path: Path) -> None:
    for number in (1, 2):
        play(tmp_path, episodes=5, shard=f"{number}/2")
    path = tmp_path / "shards" / "2-of-2" / "results.json"
    results = Results.load(path)
    results.rows = results.rows[:1]
    results.save(path)
    with pytest.raises(ResultsError, match=rf"2-of-2 \(shard 2/2\) lacks 1 of 2 episodes, such as seed {SEED + 3}"):
        merge([tmp_path], tmp_path)


@pytest.mark.parametrize("shard", ["0/4", "5/4", "3", "a/b", "1/0", "-1/2"])
def test_senseless_shards(shard: str) -> None:
    with pytest.raises(UsageError, match=r"shard: got .*SLURM_ARRAY_TASK_ID"):
        RolloutConfig(out=Path("x"), shard=shard)


def test_recordings_of_shards_become_one(tmp_path: Path) -> None:
    play(tmp_path / "whole", episodes=6, record=tmp_path / "data")
    for number in (1, 2):
        play(tmp_path / "parts", episodes=6, record=tmp_path / "shared", shard=f"{number}/2")
    lost = tmp_path / "shared" / "shards" / "1-of-2"  # episode 4 breaks the simulator, and is not recorded
    rows = json.loads((lost / "collection.json").read_text())
    rows["episodes"].append({**rows["episodes"][0], "index": 4, "seed": SEED + 4, "kept": False})
    (lost / "collection.json").write_text(json.dumps(rows))
    assert merge_collections([tmp_path / "shared"], tmp_path / "shared") == 5
    merged, whole = (open_source(tmp_path / name) for name in ("shared", "data"))
    assert [merged.episode(number).metadata["seed"] for number in range(5)] == [
        whole.episode(number).metadata["seed"] for number in range(5)
    ]

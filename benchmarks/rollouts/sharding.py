"""Shards of a rollout: `shard=i/n` plays every n-th episode, and `embodio-rollout merge` makes one rollout of all."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embodio.benchmarks.errors import ResultsError
from embodio.benchmarks.rollouts.latency import Latency, append_times, read_times
from embodio.benchmarks.rollouts.play import RESULTS, TIMES
from embodio.benchmarks.rollouts.player import VIDEOS
from embodio.benchmarks.rollouts.results import Results
from embodio.datasets.files.shards import JobShard, require_all, require_finished, shard_folders
from embodio.model.writing import write_errors


@dataclass(frozen=True)
class _Part:
    """One shard: its folder, its results, its number and the episodes of the whole rollout."""

    folder: Path
    results: Results
    shard: JobShard
    episodes: int


def merge(places: Sequence[Path], out: Path) -> Results:
    """Merges the shards of one rollout into a folder.

    Args:
        places: folders of shards, or folders that hold shards.
        out: where the whole rollout goes: its results, times and videos; the shards stay.

    Returns:
        The results as if one process had played all episodes.

    Raises:
        ResultsError: a shard is missing, not finished or there twice, or they are not of one rollout; names the folder.
    """
    parts = [_read(folder) for folder in shard_folders(places, RESULTS)]
    require_all({part.folder: part.shard for part in parts}, ResultsError)
    first = parts[0]
    whole = _whole(first.results.settings)
    for part in parts[1:]:
        part.results.require_same(first.results.settings | {"shard": part.shard.text}, first.results.agent, part.folder)
    merged = Results(whole, first.results.agent, first.results.versions, first.results.machine)
    for part in parts:
        _require_finished(part)
        for row in part.results.rows:
            merged.add(row)
    with write_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        (out / TIMES).unlink(missing_ok=True)
    for part in sorted(parts, key=lambda part: part.shard.number):
        _take_files(part, out)
    times = read_times(out / TIMES, (row.seed for row in merged.rows))
    merged.latency = Latency.of([value for episode in times.values() for value in episode])
    merged.save(out / RESULTS)
    return merged


def _read(folder: Path) -> _Part:
    path = folder / RESULTS
    if not path.exists():
        raise ResultsError(f"{folder} holds no {RESULTS}, so it is not a shard of a rollout. Name folders of shards")
    results = Results.load(path)
    if not results.settings.get("shard"):
        raise ResultsError(f"{folder} is a whole rollout, not a shard of one: it was played without shard=i/n")
    return _Part(folder, results, JobShard.of(results.settings["shard"]), int(results.settings["episodes"]))


def _whole(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the rollout that a shard belongs to."""
    return {name: value for name, value in settings.items() if name not in ("shard", "episodes")}


def _require_finished(part: _Part) -> None:
    wanted = {int(part.results.settings["seed"]) + index for index in part.shard.indices(part.episodes)}
    done = {row.seed for row in part.results.rows}
    require_finished(part.folder, part.shard, wanted, done, "seed", ResultsError)


def _take_files(part: _Part, out: Path) -> None:
    """Adds the times of a shard, and copies its videos."""
    for seed, times in read_times(part.folder / TIMES, (row.seed for row in part.results.rows)).items():
        append_times(out / TIMES, seed, times)
    for row in part.results.rows:
        if row.video is not None and (part.folder / VIDEOS / row.video).exists():
            (out / VIDEOS).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(part.folder / VIDEOS / row.video, out / VIDEOS / row.video)

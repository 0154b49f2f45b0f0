"""Shards of a collection or of a recording, merged into one data set."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embodio.datasets.errors import CollectionError, CollectionMismatch
from embodio.datasets.files.folder_lock import sole_user
from embodio.datasets.files.shards import JobShard, require_all, require_finished, shard_folders
from embodio.datasets.recording.collection_store import (
    INDEX,
    CollectedEpisode,
    CollectionSettings,
    CollectionStore,
    StoreSettings,
    stage,
)
from embodio.datasets.recording.recording import RecordingSettings
from embodio.datasets.rlds.reader import RLDSReader


@dataclass(frozen=True)
class _Part:
    """One shard: its folder, its number, the settings of all, and its episodes."""

    folder: Path
    shard: JobShard
    settings: Mapping[str, Any]
    rows: list[CollectedEpisode]


def merge_collections(places: Sequence[Path], out: Path) -> int:
    """Merges shards into a folder; the bytes are those of a collection without shards. The shards stay.

    Args:
        places: folders of shards, or folders that hold shards.
        out: folder of the data set.

    Returns:
        Number of episodes in the data set.

    Raises:
        CollectionError: a shard is missing, not finished or there twice; names it.
        CollectionMismatch: a shard has other settings than the first; names the field.
    """
    parts = [_read(folder) for folder in shard_folders(places, INDEX)]
    require_all({part.folder: part.shard for part in parts}, CollectionError)
    for part in parts:
        for name in {**parts[0].settings, **part.settings}:
            expected, found = (one.settings.get(name) for one in (parts[0], part))
            if expected != found:
                raise CollectionMismatch(part.folder, name, found, expected)
        _require_finished(part)
    with sole_user(out, "merging into", CollectionError):
        store = CollectionStore(out, _whole(parts[0].settings))
        published = {row.index for row in store.published()}
        for part in parts:
            _take(part, store, published)
        store.assemble()
        return sum(row.kept for row in store.published())


def _read(folder: Path) -> _Part:
    try:
        index = json.loads((folder / INDEX).read_bytes())
        settings, rows = index["settings"], [CollectedEpisode(**row) for row in index["episodes"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CollectionError(f"{folder} is not a shard of a collection ({error}). Name folders of shards") from error
    if "shard" not in settings:
        raise CollectionError(f"{folder} is a whole collection, not a shard of one: it was made without shard=i/n")
    shard = JobShard.of(settings["shard"])
    return _Part(folder, shard, {name: value for name, value in settings.items() if name != "shard"}, rows)


def _whole(settings: Mapping[str, Any]) -> StoreSettings:
    """The settings of the collection, or recording, that shards belong to."""
    values = {name: value for name, value in settings.items() if name != "episodes"}
    if "noise" in values:
        return CollectionSettings(**values | {"noise": tuple(values["noise"])})
    return RecordingSettings(**values)


def _require_finished(part: _Part) -> None:
    wanted = set(part.shard.indices(int(part.settings["episodes"])))
    done = {row.index for row in part.rows}
    require_finished(part.folder, part.shard, wanted, done, "number", CollectionError)


def _take(part: _Part, store: CollectionStore, published: set[int]) -> None:
    """Stages the episodes of a shard that the data set does not hold yet."""
    kept = [row for row in part.rows if row.kept]
    reader = RLDSReader(part.folder) if kept else None
    positions = {row.index: position for position, row in enumerate(kept)}
    for row in part.rows:
        if row.index not in published:
            record = reader.record(positions[row.index]) if reader is not None and row.kept else None
            stage(store.staging, row, record)

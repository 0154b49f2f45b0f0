"""The folder `meta` of a LeRobot data set, checked before anything is read by it."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embodio.datasets.episodes.feature_json import read_features
from embodio.datasets.episodes.features import (
    INSTRUCTION,
    INTEGERS,
    METADATA,
    STEPS,
    EpisodeFeatures,
    Feature,
    TensorFeature,
    TextFeature,
)
from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError
from embodio.datasets.files.names import filled, inside
from embodio.datasets.sources.lerobot.names import BOOKKEEPING, OWN, rlds_path
from embodio.datasets.sources.lerobot.rows import whole_number
from embodio.datasets.sources.lerobot.version2 import read_rows, read_tasks
from embodio.datasets.sources.lerobot.videos import picture_feature
from embodio.datasets.sources.parquet import REMEDY, read_table

INFO = "meta/info.json"
_TYPES = (*INTEGERS, "float16", "float32", "float64")
VALUES = "embodio/"  # prefix of RLDS's fields of whole episodes
PLACE = "place"  # of a row: its file, and its number in it
_WHOLE = ("episode_index", "length", "data/chunk_index", "data/file_index")
_TEXTS = ("__index_level_0__", "task")  # names of the column of texts in the table of tasks
_SLOTS = ("chunk_index", "file_index")


@dataclass(frozen=True)
class LeRobotLayout:
    """The places of a LeRobot data set's content.

    Attributes:
        folder: of the data set.
        info: the content of info.json.
        fps: steps per second.
        columns: path of each field in RLDS -> its name in LeRobot.
        features: what an episode holds, with the paths of RLDS.
        embodiment: of the robot, as returned by `Embodiment.to_dict`; None if unknown.
        tasks: number -> instruction.
        rows: the table of episodes, in order, without statistics and `VALUES`, with the `PLACE` of each.
        remarks: false statements in info.json.
    """

    folder: Path
    info: Mapping[str, Any]
    fps: float
    columns: Mapping[str, str]
    features: EpisodeFeatures
    embodiment: Mapping[str, Any] | None
    tasks: Mapping[int, str]
    rows: list[dict[str, Any]]
    remarks: tuple[str, ...]

    @classmethod
    def load(cls, folder: Path, episode_files: Iterable[Path] | None = None) -> LeRobotLayout:
        """Reads the folder `meta`.

        Args:
            folder: of the data set.
            episode_files: the tables of episodes of version 3; None takes those in `folder`.

        Raises:
            DatasetError: the folder is not such a data set, or is of another version.
            FeatureError: a field is of a kind that cannot be read.
            CorruptRecordError: a file is damaged.
        """
        info = _read_json(folder / INFO)
        version = str(info.get("codebase_version"))
        if not version.startswith(("v3", "v2")):
            raise DatasetError(f"{folder} is LeRobot data of version {version}. Convert it to v3.0 with LeRobot")
        _check_info(folder / INFO, info)
        columns = _columns([name for name in info["features"] if name not in BOOKKEEPING])
        embodiment = None
        if (folder / "meta" / OWN).exists():
            own = _read_json(folder / "meta" / OWN)
            columns, features = _own(folder / "meta" / OWN, own, info["features"])
            embodiment = own.get("embodiment")
        else:
            features = _features(columns, info["features"])
        videos = [name for name, field in info["features"].items() if field["dtype"] == "video"]
        if version.startswith("v2"):
            tasks, rows = read_tasks(folder), read_rows(folder, info.get("chunks_size"), videos, float(info["fps"]))
        else:
            files = sorted((folder / "meta/episodes").glob("chunk-*/file-*.parquet"))
            tasks, rows = _read_tasks(folder), _read_rows(files if episode_files is None else episode_files, videos)
        rows = _in_order(folder, rows)
        remarks = tuple(_remarks(folder / INFO, info, rows))
        return cls(folder, info, float(info["fps"]), columns, features, embodiment, tasks, rows, remarks)

    def part(self, split: str | None) -> list[dict[str, Any]]:
        """The episodes of a split, written "first:last" in info.json; None takes all.

        Raises:
            DatasetError: there is no such split, or it holds no episode.
        """
        rows = self.rows
        if split is not None:
            splits = self.info.get("splits") or {}
            if split not in splits:
                raise DatasetError(f"{self.folder} has no split {split!r}; it has {', '.join(sorted(splits))}")
            first, _, last = str(splits[split]).partition(":")
            if not (first.isdigit() and last.isdigit()):
                raise DatasetError(f"{self.folder}/meta/info.json: the split {split!r} is not first:last. {REMEDY}")
            rows = [row for row in rows if int(first) <= row["episode_index"] < int(last)]
        if not rows:
            raise DatasetError(f"{self.folder} holds no episode")
        return rows

    def path(self, template: str, row: Mapping[str, Any], prefix: str, name: str = "") -> Path:
        """The file that a row names; `template` is "data_path" or "video_path". Raises UnsafeName."""
        known = {"episode_index": row["episode_index"], "episode_chunk": row.get("episode_chunk"), "video_key": name}
        known |= {slot: row.get(f"{prefix}/{slot}") for slot in _SLOTS}
        origin = self.folder / INFO
        slots = {slot: value for slot, value in known.items() if value is not None}
        return inside(self.folder, filled(self.info[template], slots, origin), origin)

    def neighbours(self, row: Mapping[str, Any]) -> Iterator[Path]:
        """The data files before and after the one that a row names; of version 3 only."""
        keys = ["data/chunk_index", "data/file_index"]
        places = sorted({tuple(other[key] for key in keys) for other in self.rows if keys[0] in other})
        for number, place in enumerate(places):
            if place == tuple(row.get(key) for key in keys):
                for near in (*places[max(0, number - 1) : number], *places[number + 1 : number + 2]):
                    yield self.path("data_path", {**row, **dict(zip(keys, near, strict=True))}, "data")


def _check_info(path: Path, info: Mapping[str, Any]) -> None:
    fps, features = info.get("fps"), info.get("features")
    if not isinstance(fps, int | float) or not 0 < fps < math.inf:
        raise DatasetError(f"{path}: fps is {fps!r}, expected a number above 0. {REMEDY}")
    if not isinstance(features, dict) or not features:
        raise DatasetError(f"{path} has no features. {REMEDY}")
    for name, field in features.items():
        shape = field.get("shape") if isinstance(field, dict) else None
        fits = isinstance(shape, list) and all(isinstance(size, int) and size > 0 for size in shape)
        if not fits or not isinstance(field.get("dtype"), str):
            raise FeatureError(f"{path}: {name} has no dtype and shape. {REMEDY}")
        if field["dtype"] in ("video", "image") and len(shape or ()) != 3:
            raise FeatureError(f"{path}: {name} has the shape {shape}, expected 3 sizes. {REMEDY}")
    slots: dict[str, int | str] = dict.fromkeys(("chunk_index", "file_index", "episode_chunk", "episode_index"), 0)
    videos = [name for name, field in features.items() if field["dtype"] == "video"]
    for template, key in [("data_path", "key"), *(("video_path", name) for name in videos)]:
        if not isinstance(info.get(template), str):
            raise DatasetError(f"{path}: {template} is {info.get(template)!r}, expected where the files are. {REMEDY}")
        filled(info[template], slots | {"video_key": key}, path)


def _own(path: Path, own: Mapping[str, Any], features: Mapping[str, Any]) -> tuple[dict[str, str], EpisodeFeatures]:
    """The names and features that this library wrote for fields LeRobot cannot hold."""
    names = own.get("names")
    if not isinstance(names, dict) or not isinstance(own.get("features"), dict):
        raise DatasetError(f"{path} lacks names or features. {REMEDY}, or delete this file")
    found = read_features(own["features"])
    for name in found.steps:
        if name != INSTRUCTION and names.get(name) not in features:
            raise FeatureError(f"{path}: {name} is not in info.json. {REMEDY}, or delete this file")
    return {str(key): str(value) for key, value in names.items()}, found


def _read_tasks(folder: Path) -> dict[int, str]:
    """Number of each task -> its text, from a table that may have gaps and columns of other programs."""
    path = folder / "meta" / "tasks.parquet"
    table = read_table(path)
    names = [name for name in table.column_names if name != "task_index"]
    named = [name for name in _TEXTS if name in names] or names
    if "task_index" not in table.column_names or not named or (len(named) > 1 and named == names):
        raise DatasetError(f"{path} has the columns {table.column_names}, expected task_index and the texts. {REMEDY}")
    tasks: dict[int, str] = {}
    for row, (found, text) in enumerate(zip(table["task_index"].to_pylist(), table[named[0]].to_pylist(), strict=True)):
        number = whole_number(found)
        if number is None or text is None or tasks.setdefault(number, str(text)) != str(text):
            raise CorruptRecordError(path, row, f"{text!r} with the number {found!r} is not a task", REMEDY)
    return tasks


def _read_rows(files: Iterable[Path], videos: Sequence[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    known: set[int] = set()
    for path in files:
        table = read_table(path, lambda name: not name.startswith(("stats/", VALUES)))
        found = [
            _checked(path, number, row, videos) | {PLACE: (path, number)}
            for number, row in enumerate(table.to_pylist())
        ]
        if known.intersection(row["episode_index"] for row in found):  # a server may send one file forever
            raise CorruptRecordError(path, 0, "its episodes are in another file, too", REMEDY)
        known |= {row["episode_index"] for row in found}
        rows += found
    return rows


def _in_order(folder: Path, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows by number of the episode, each of which must come once."""
    rows = sorted(rows, key=lambda row: row["episode_index"])
    for one, other in itertools.pairwise(rows):
        if one["episode_index"] == other["episode_index"]:
            number = one["episode_index"]
            raise CorruptRecordError(folder / "meta", number, f"episode {number} is described twice", REMEDY)
    return rows


def _remarks(path: Path, info: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    found = {"total_episodes": len(rows), "total_frames": sum(row["length"] for row in rows)}
    for name, count in found.items():
        if name in info and info[name] != count:
            yield f"{path} says {name} {info[name]!r}, and the episodes have {count}"


def _checked(path: Path, number: int, row: Mapping[str, Any], videos: Sequence[str]) -> dict[str, Any]:
    """A row of the table of episodes, with whole numbers where a program wrote floats."""
    whole = [*_WHOLE, *(f"videos/{name}/{slot}" for name in videos for slot in _SLOTS)]
    numbers = {name: whole_number(row.get(name)) for name in whole}
    for name, value in numbers.items():
        if value is None:
            raise CorruptRecordError(path, number, f"{name} is {row.get(name)!r}", REMEDY)
    for name in videos:
        start = row.get(f"videos/{name}/from_timestamp")
        if not isinstance(start, float | int) or not 0 <= start < math.inf:
            raise CorruptRecordError(path, number, f"videos/{name}/from_timestamp is {start!r}", REMEDY)
    return {**row, **numbers}


def _columns(names: Sequence[str]) -> dict[str, str]:
    """Path of each field in RLDS -> its name; a path claimed twice goes to the field of exactly that name."""
    plain = {name: name.replace(".", "/") for name in names}
    taken = {path for name, path in plain.items() if rlds_path(name) == path}
    paths = {name: rlds_path(name) for name in names}
    return {plain[name] if path in taken else path: name for name, path in paths.items()}


def _features(columns: Mapping[str, str], described: Mapping[str, Any]) -> EpisodeFeatures:
    steps: dict[str, Feature] = {}
    unread: dict[str, str] = {}
    for path, name in columns.items():
        try:
            steps[path] = _feature(name, described[name])
        except FeatureError as error:
            unread[f"{STEPS}/{path}"] = str(error)
    episode = {f"{METADATA}/episode_index": TensorFeature("int64")}
    return EpisodeFeatures({**steps, INSTRUCTION: TextFeature()}, episode, unread=unread)


def _feature(name: str, described: Mapping[str, Any]) -> Feature:
    dtype, shape = described["dtype"], tuple(int(size) for size in described["shape"])
    if dtype in ("video", "image"):
        return picture_feature(name, described)
    if dtype == "string":
        return TextFeature()
    if dtype not in _TYPES:
        raise FeatureError(f"{name}: fields of {dtype} cannot be read")
    return TensorFeature(dtype, () if name in ("next.reward", "next.done") else shape)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing. Give the folder of a LeRobot data set") from error
    except ValueError as error:
        raise DatasetError(f"{path} is not JSON: {error}. Fetch it again") from error
    if not isinstance(found, dict):
        raise DatasetError(f"{path} holds no object. Fetch it again")
    return found

"""What the folder `meta` of a LeRobot data set says, checked before anything is read by it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
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
from embodio.datasets.sources.lerobot.videos import picture_feature
from embodio.datasets.sources.parquet import REMEDY, read_table

INFO = "meta/info.json"
_TYPES = (*INTEGERS, "float16", "float32", "float64")
VALUES = "embodio/"  # before the names of what RLDS says of whole episodes
PLACE = "place"  # of a row: its file, and its number in it
_WHOLE = ("episode_index", "length", "data/chunk_index", "data/file_index", "dataset_from_index")


@dataclass(frozen=True)
class LeRobotLayout:
    """Where everything is.

    Attributes:
        folder: of the data set.
        info: the content of info.json.
        fps: steps per second.
        columns: path of each field in RLDS -> its name in LeRobot.
        features: what an episode holds, with the paths of RLDS.
        embodiment: of the robot, as `Embodiment.to_dict` gives it; None where nobody says.
        tasks: the instructions.
        rows: the table of episodes, in order, without statistics and `VALUES`, with the `PLACE` of each.
    """

    folder: Path
    info: Mapping[str, Any]
    fps: float
    columns: Mapping[str, str]
    features: EpisodeFeatures
    embodiment: Mapping[str, Any] | None
    tasks: list[str]
    rows: list[dict[str, Any]]

    @classmethod
    def load(cls, folder: Path) -> LeRobotLayout:
        """Reads the folder `meta`.

        Raises:
            DatasetError: the folder is no such data set, or is of another version.
            FeatureError: a field is of a kind that cannot be read.
            CorruptRecordError: a file is damaged.
        """
        info = _read_json(folder / INFO)
        version = str(info.get("codebase_version"))
        if not version.startswith("v3"):
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
        rows = _read_rows(folder, info)
        return cls(folder, info, float(info["fps"]), columns, features, embodiment, _read_tasks(folder), rows)

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
                raise DatasetError(f"{self.folder}/meta/info.json: the split {split!r} is no first:last. {REMEDY}")
            rows = [row for row in rows if int(first) <= row["episode_index"] < int(last)]
        if not rows:
            raise DatasetError(f"{self.folder} holds no episode")
        return rows

    def path(self, template: str, row: Mapping[str, Any], prefix: str, name: str = "") -> Path:
        """The file that holds an episode; `template` is "data_path" or "video_path". Raises UnsafeName."""
        chunk, file = row[f"{prefix}/chunk_index"], row[f"{prefix}/file_index"]
        origin = self.folder / INFO
        return inside(self.folder, _filled(origin, self.info, template, chunk, file, name), origin)

    def first_of_file(self) -> dict[tuple[int, int], int]:
        """Number of the first step of each data file."""
        first: dict[tuple[int, int], int] = {}
        for row in self.rows:
            key = (row["data/chunk_index"], row["data/file_index"])
            first[key] = min(first.get(key, row["dataset_from_index"]), row["dataset_from_index"])
        return first


def _filled(path: Path, info: Mapping[str, Any], template: str, chunk: int, file: int, name: str) -> str:
    slots: dict[str, int | str] = {"chunk_index": chunk, "file_index": file, "video_key": name}
    if not isinstance(info.get(template), str):
        raise DatasetError(f"{path}: {template} is {info.get(template)!r}, expected where the files are. {REMEDY}")
    return filled(info[template], slots, path)


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
    _filled(path, info, "data_path", 0, 0, "key")
    for name, field in features.items():
        if field["dtype"] == "video":
            _filled(path, info, "video_path", 0, 0, name)


def _own(path: Path, own: Mapping[str, Any], features: Mapping[str, Any]) -> tuple[dict[str, str], EpisodeFeatures]:
    """What this library wrote of fields that LeRobot has no place for."""
    names = own.get("names")
    if not isinstance(names, dict) or not isinstance(own.get("features"), dict):
        raise DatasetError(f"{path} lacks names or features. {REMEDY}, or delete this file")
    found = read_features(own["features"])
    for name in found.steps:
        if name != INSTRUCTION and names.get(name) not in features:
            raise FeatureError(f"{path}: {name} is not in info.json. {REMEDY}, or delete this file")
    return {str(key): str(value) for key, value in names.items()}, found


def _read_tasks(folder: Path) -> list[str]:
    path = folder / "meta" / "tasks.parquet"
    table = read_table(path)
    names = [name for name in table.column_names if name != "task_index"]
    if "task_index" not in table.column_names or len(names) != 1:
        raise DatasetError(f"{path} has the columns {table.column_names}, expected task_index and the texts. {REMEDY}")
    tasks = dict(zip(table["task_index"].to_pylist(), table[names[0]].to_pylist(), strict=True))
    if sorted(tasks, key=str) != sorted(range(len(tasks)), key=str):
        raise CorruptRecordError(path, 0, "the numbers of the tasks have gaps", REMEDY)
    return [str(tasks[number]) for number in range(len(tasks))]


def _read_rows(folder: Path, info: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    videos = [name for name, field in info["features"].items() if field["dtype"] == "video"]
    for path in sorted((folder / "meta" / "episodes").glob("chunk-*/file-*.parquet")):
        table = read_table(path, lambda name: not name.startswith(("stats/", VALUES)))
        for number, row in enumerate(table.to_pylist()):
            _check_row(path, number, row, videos, info.get("total_frames"))
            rows.append(row | {PLACE: (path, number)})
    rows.sort(key=lambda row: row["episode_index"])
    return rows


def _check_row(path: Path, number: int, row: Mapping[str, Any], videos: list[str], most: object) -> None:
    whole = [*_WHOLE, *(f"videos/{name}/{key}_index" for name in videos for key in ("chunk", "file"))]
    for name in whole:
        if not isinstance(row.get(name), int) or row[name] < 0:
            raise CorruptRecordError(path, number, f"{name} is {row.get(name)!r}", REMEDY)
    length, last = row["length"], row.get("dataset_to_index")
    if isinstance(most, int) and length > most:
        raise CorruptRecordError(path, number, f"an episode of {length} steps, in a data set of {most}", REMEDY)
    if last is not None and last != row["dataset_from_index"] + length:
        raise CorruptRecordError(path, number, f"length {length} does not fit dataset_to_index {last}", REMEDY)
    for name in videos:
        start = row.get(f"videos/{name}/from_timestamp")
        if not isinstance(start, float | int) or not 0 <= start < math.inf:
            raise CorruptRecordError(path, number, f"videos/{name}/from_timestamp is {start!r}", REMEDY)


def _columns(names: Sequence[str]) -> dict[str, str]:
    """Path of each field in RLDS -> its name; a path that two would have goes to the one that is called so."""
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
        raise DatasetError(f"{path} is missing. Give the folder of a LeRobot data set, version 3") from error
    except ValueError as error:
        raise DatasetError(f"{path} is not JSON: {error}. Fetch it again") from error
    if not isinstance(found, dict):
        raise DatasetError(f"{path} holds no object. Fetch it again")
    return found

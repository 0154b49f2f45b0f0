"""LeRobot data sets, version 3: numbers in parquet files, frames in mp4 files, several episodes in each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError
from embodio.datasets.rlds.features import (
    METADATA,
    DepthFeature,
    EpisodeFeatures,
    Feature,
    ImageFeature,
    TensorFeature,
    TextFeature,
)
from embodio.datasets.rlds.image_codec import decode_image
from embodio.datasets.sources.columns import INSTRUCTION, ColumnEpisode
from embodio.datasets.sources.lerobot_columns import load_value
from embodio.datasets.sources.lerobot_names import BOOKKEEPING, OWN, rlds_path
from embodio.datasets.sources.parquet import REMEDY, open_parquet, read_table, reading
from embodio.datasets.sources.video_segments import VideoSegment
from embodio.envs.embodiment import Embodiment

_TYPES = ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "bool")


class LeRobotSource:
    """Episodes of a LeRobot v3 folder.

    Fields get the names of RLDS: "observation.images.front" is "observation/front", "next.reward" is "reward".

    Attributes:
        name: the folder's name.
        features: what an episode holds.
        fps: steps per second.
    """

    def __init__(self, folder: str | Path, *, split: str | None = None) -> None:
        """Opens a folder.

        Args:
            folder: holds meta/info.json.
            split: name of a split of info.json; None takes all episodes.

        Raises:
            DatasetError: pyarrow is missing, or the folder is no such data set, or is of another version.
            FeatureError: a field is of a kind that cannot be read.
            CorruptRecordError: a file is damaged.
        """
        self.folder = Path(folder)
        self.split = split
        self.name = self.folder.resolve().name
        self._info = _read_json(self.folder / "meta" / "info.json")
        version = str(self._info.get("codebase_version"))
        if not version.startswith("v3"):
            raise DatasetError(f"{self.folder} is LeRobot data of version {version}. Convert it to v3.0 with LeRobot")
        self.fps = float(self._info["fps"])
        own = self.folder / "meta" / OWN
        self._own = _read_json(own) if own.exists() else None
        self._columns = {rlds_path(name): name for name in self._info["features"] if name not in BOOKKEEPING}
        if self._own is not None:
            self._columns = dict(self._own["names"])
        self._tasks = self._read_tasks()
        rows = self._read_rows()
        self._first_of_file = _first_indices(rows)
        self._rows = self._part(rows, split)
        self.features = self._features()
        self._files: dict[Path, Any] = {}

    def __len__(self) -> int:
        """Returns the number of episodes."""
        return len(self._rows)

    @property
    def embodiment(self) -> Embodiment:
        """The robot, where this library wrote the folder; else raises DatasetError."""
        if self._own is None or "embodiment" not in self._own:
            raise DatasetError(f"{self.folder} does not describe its robot. Open it through a YAML file")
        return Embodiment.from_dict(self._own["embodiment"])

    @property
    def robot(self) -> str:
        """What info.json calls the robot; empty if nothing."""
        return str(self._info.get("robot_type") or "")

    def dimension_names(self, path: str) -> list[str]:
        """What info.json calls the numbers of a field; empty if nothing."""
        names = self._info["features"].get(self._columns.get(path, ""), {}).get("names")
        if isinstance(names, dict):  # older folders have a name for the list
            names = next(iter(names.values()), None)
        return [str(name) for name in names] if isinstance(names, list) else []

    def episode_length(self, index: int) -> int:
        """Returns the number of steps of one episode."""
        return int(self._row(index)["length"])

    def episode(self, index: int) -> ColumnEpisode:
        """Returns one episode; its fields are read when they are asked for.

        Raises:
            CorruptRecordError: a file is missing or damaged (when it is read).
            IndexError: there is no such episode.
        """
        row = self._row(index)
        columns: dict[str, Callable[[], npt.NDArray[Any]]] = {}
        frames: dict[str, Callable[[int], npt.NDArray[np.uint8]]] = {}
        texts: dict[str, Callable[[int], str]] = {}
        for path, feature in self.features.steps.items():
            if path == INSTRUCTION and INSTRUCTION not in self._columns:
                texts[path] = lambda step, row=row: self._instruction(row, step)  # type: ignore[misc]
            elif isinstance(feature, TextFeature):
                texts[path] = lambda step, path=path: str(self._values(row, path)[step])  # type: ignore[misc]
            elif isinstance(feature, ImageFeature):
                frames[path] = self._frames(row, path, feature)
            else:
                columns[path] = lambda path=path, feature=feature: self._array(row, path, feature)  # type: ignore[misc]
        values = {path: self._value(row, path, feature) for path, feature in self.features.episode.items()}
        length = int(row["length"])
        return ColumnEpisode(self.features, length, columns=columns, frames=frames, texts=texts, episode=values)

    def close(self) -> None:
        """Closes files; they open again when needed."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def __getstate__(self) -> dict[str, Any]:
        """Leaves open files behind."""
        return self.__dict__ | {"_files": {}}

    def _row(self, index: int) -> Mapping[str, Any]:
        if not 0 <= index < len(self):
            raise IndexError(f"episode {index} of a data set of {len(self)}")
        row: Mapping[str, Any] = self._rows[index]
        return row

    def _read_tasks(self) -> list[str]:
        table = read_table(self.folder / "meta" / "tasks.parquet")
        names = [name for name in table.column_names if name != "task_index"]
        if "task_index" not in table.column_names or len(names) != 1:
            raise DatasetError(f"{self.folder}/meta/tasks.parquet has the columns {table.column_names}")
        pairs = zip(table["task_index"].to_pylist(), table[names[0]].to_pylist(), strict=True)
        return [str(task) for _, task in sorted(pairs)]

    def _read_rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for path in sorted((self.folder / "meta" / "episodes").glob("chunk-*/file-*.parquet")):
            rows += read_table(path, lambda name: not name.startswith("stats/")).to_pylist()
        rows.sort(key=lambda row: row["episode_index"])
        return rows

    def _part(self, rows: list[dict[str, Any]], split: str | None) -> list[dict[str, Any]]:
        """The episodes of a split, written "first:last" in info.json."""
        if split is not None:
            splits = self._info.get("splits", {})
            if split not in splits:
                raise DatasetError(f"{self.folder} has no split {split!r}; it has {', '.join(sorted(splits))}")
            first, _, last = str(splits[split]).partition(":")
            rows = [row for row in rows if int(first) <= row["episode_index"] < int(last)]
        if not rows:
            raise DatasetError(f"{self.folder} holds no episode")
        return rows

    def _features(self) -> EpisodeFeatures:
        if self._own is not None:
            return EpisodeFeatures.from_json(self._own["features"])
        steps: dict[str, Feature] = {}
        for path, name in self._columns.items():
            steps[path] = _feature(name, self._info["features"][name])
        steps[INSTRUCTION] = TextFeature()
        return EpisodeFeatures(steps, {f"{METADATA}/episode_index": TensorFeature("int64")})

    def _path(self, template: str, row: Mapping[str, Any], prefix: str, **names: str) -> Path:
        chunk, file = int(row[f"{prefix}/chunk_index"]), int(row[f"{prefix}/file_index"])
        return self.folder / str(self._info[template]).format(chunk_index=chunk, file_index=file, **names)

    def _values(self, row: Mapping[str, Any], path: str, name: str | None = None) -> list[Any]:
        """One column of an episode as plain values."""
        column = self._column(row, name or self._columns[path])
        values: list[Any] = column.to_pylist()
        return values

    def _column(self, row: Mapping[str, Any], name: str) -> Any:
        file_path = self._path("data_path", row, "data")
        key = (row["data/chunk_index"], row["data/file_index"])
        first = row["dataset_from_index"] - self._first_of_file[key]
        if file_path not in self._files:
            self._files[file_path] = open_parquet(file_path)
        file = self._files[file_path]
        groups: list[int] = []
        start, before = 0, 0
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if start < first + row["length"] and start + rows > first:
                before = start if not groups else before
                groups.append(group)
            start += rows
        with reading(file_path, int(row["episode_index"])):
            table = file.read_row_groups(groups, columns=[name])
        if name not in table.column_names or len(table) < first - before + row["length"]:
            raise CorruptRecordError(file_path, int(row["episode_index"]), f"rows of {name} are missing", REMEDY)
        return table[name].slice(first - before, row["length"]).combine_chunks()

    def _array(self, row: Mapping[str, Any], path: str, feature: TensorFeature | DepthFeature) -> npt.NDArray[Any]:
        length = int(row["length"])
        if path not in self._columns and path in ("is_first", "is_last"):
            return np.arange(length) == (0 if path == "is_first" else length - 1)
        column = self._column(row, self._columns[path])
        while hasattr(column, "storage"):
            column = column.storage
        while hasattr(column, "flatten") and "list" in str(column.type):
            column = column.flatten()
        shape = (feature.height, feature.width, 1) if isinstance(feature, DepthFeature) else feature.shape
        values = np.asarray(column.to_numpy(zero_copy_only=False))
        if values.size != length * int(np.prod(shape)):
            where = self._path("data_path", row, "data")
            raise CorruptRecordError(where, int(row["episode_index"]), f"{path} has {values.size} numbers", REMEDY)
        return values.reshape(length, *shape)

    def _value(self, row: Mapping[str, Any], path: str, feature: Feature) -> Any:
        """A value of the whole episode; only folders that this library wrote have others than the number."""
        if path == f"{METADATA}/episode_index" and f"embodio/{path}" not in row:
            return int(row["episode_index"])
        if f"embodio/{path}" not in row:
            where = self.folder / "meta" / "episodes"
            raise CorruptRecordError(where, int(row["episode_index"]), f"{path} is missing", REMEDY)
        return load_value(feature, row[f"embodio/{path}"])

    def _instruction(self, row: Mapping[str, Any], step: int) -> str:
        number = int(self._values(row, INSTRUCTION, "task_index")[step])
        if not 0 <= number < len(self._tasks):
            raise CorruptRecordError(self.folder, int(row["episode_index"]), f"there is no task {number}", REMEDY)
        return self._tasks[number]

    def _frames(
        self, row: Mapping[str, Any], path: str, feature: ImageFeature
    ) -> Callable[[int], npt.NDArray[np.uint8]]:
        name = self._columns[path]
        if self._info["features"][name]["dtype"] == "video":
            file = self._path("video_path", row, f"videos/{name}", video_key=name)
            start = float(row[f"videos/{name}/from_timestamp"])
            height, width, channels = self._info["features"][name]["shape"]
            segment = VideoSegment(file, start, int(row["length"]), self.fps, height, width)
            return lambda step: segment.frame(step)[..., : feature.channels] if channels == 3 else segment.frame(step)
        cells: list[Any] = []

        def frame(step: int) -> npt.NDArray[np.uint8]:
            if not cells:
                cells.extend(self._values(row, path))
            return decode_image(cells[step]["bytes"] or b"", feature.channels)

        return frame


def _first_indices(rows: list[dict[str, Any]]) -> dict[tuple[int, int], int]:
    """Number of the first step of each data file."""
    first: dict[tuple[int, int], int] = {}
    for row in rows:
        key = (row["data/chunk_index"], row["data/file_index"])
        first[key] = min(first.get(key, row["dataset_from_index"]), row["dataset_from_index"])
    return first


def _feature(name: str, described: Mapping[str, Any]) -> Feature:
    dtype, shape = described["dtype"], tuple(int(size) for size in described["shape"])
    if dtype in ("video", "image"):
        names = described.get("names") or ["height", "width", "channels"]
        if str(names[0]).startswith("channel"):
            shape = (*shape[1:], shape[0])
        return ImageFeature(shape[0], shape[1], shape[2], "jpeg")
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

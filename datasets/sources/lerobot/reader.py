"""LeRobotSource: LeRobot data sets, versions 2 and 3, with numbers in parquet files and frames in mp4 files."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.codecs.image_codec import decode_image
from embodio.datasets.codecs.video_segments import VideoSegment
from embodio.datasets.episodes.features import (
    INSTRUCTION,
    METADATA,
    DepthFeature,
    ImageFeature,
    TensorFeature,
    TextFeature,
)
from embodio.datasets.errors import CorruptRecordError, RobotNotDescribed
from embodio.datasets.files.names import inside
from embodio.datasets.files.remote import has_file, is_url
from embodio.datasets.sources.columns import ColumnEpisode, Lazy
from embodio.datasets.sources.layouts import Layout
from embodio.datasets.sources.lerobot.columns import image_file, load_value
from embodio.datasets.sources.lerobot.layout import PLACE, VALUES, LeRobotLayout
from embodio.datasets.sources.lerobot.remote import RemoteLeRobot
from embodio.datasets.sources.lerobot.rows import DataFile, whole_number
from embodio.datasets.sources.lerobot.videos import VideoField
from embodio.datasets.sources.parquet import REMEDY, open_parquet, reading
from embodio.envs.embodiment import Embodiment


class LeRobotSource:
    """Episodes of a LeRobot folder, version 2.0, 2.1 or 3.

    Fields get the names of RLDS: "observation.images.front" is "observation/front", "next.reward" is "reward".

    Attributes:
        name: the folder's name.
        features: what an episode holds.
        fps: steps per second.
        remarks: errors in the descriptions that were corrected; those of episodes appear when they are read.
    """

    def __init__(self, folder: str | Path, *, split: str | None = None) -> None:
        """Opens a folder.

        Args:
            folder: holds meta/info.json; a path, or a URL, whose files are then copied to the cache folder as needed.
            split: name of a split of info.json; None takes all episodes.

        Raises:
            DatasetError: pyarrow is missing, the folder is not such a data set, of another version or not reached.
            FeatureError: a field is of a kind that cannot be read.
            CorruptRecordError: a file is damaged.
        """
        self._remote = RemoteLeRobot(str(folder)) if is_url(folder) else None
        self.folder = Path(folder) if self._remote is None else self._remote.folder
        self.split = split
        self.name = Path(folder).name if self._remote else self.folder.resolve().name
        self._layout = LeRobotLayout.load(self.folder, self._remote.episode_files() if self._remote else None)
        self.fps, self.features = self._layout.fps, self._layout.features
        self._info, self._columns = self._layout.info, self._layout.columns
        self._rows = self._layout.part(split)
        self._files: dict[Path, Any] = {}
        self._data: dict[Path, DataFile] = {}
        self.remarks = dict.fromkeys(self._layout.remarks)
        self._videos = {
            name: VideoField(name, self._info["features"][name], self._layout.rows, self.fps)
            for path, name in self._columns.items()
            if path in self.features.steps and self._info["features"][name]["dtype"] == "video"
        }

    def __len__(self) -> int:
        """Returns the number of episodes."""
        return len(self._rows)

    @property
    def embodiment(self) -> Embodiment:
        """The robot, if this library wrote the folder; else raises RobotNotDescribed."""
        if self._layout.embodiment is None:
            raise RobotNotDescribed(self.folder)
        return Embodiment.from_dict(self._layout.embodiment)

    @property
    def robot(self) -> str:
        """The robot's name in info.json; empty if there is none."""
        return str(self._info.get("robot_type") or "")

    def dimension_names(self, path: str) -> list[str]:
        """The names of a field's numbers in info.json; empty if there are none."""
        names = self._info["features"].get(self._columns.get(path, ""), {}).get("names")
        if isinstance(names, dict):  # older folders have a name for the list
            names = next(iter(names.values()), None)
        return [str(name) for name in names] if isinstance(names, list) else []

    def episode_length(self, index: int) -> int:
        """Returns the number of steps of one episode."""
        return int(self._row(index)["length"])

    def episode(self, index: int) -> ColumnEpisode:
        """Returns one episode; its fields are read on demand.

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
            elif self._columns.get(path) in self._videos:
                columns[path] = lambda path=path: self._segment(row, self._columns[path]).depth()  # type: ignore[misc]
            else:
                columns[path] = lambda path=path, feature=feature: self._array(row, path, feature)  # type: ignore[misc]
        values = Lazy(self.features.episode, lambda path: self._value(row, path))
        length = int(row["length"])
        return ColumnEpisode(self.features, length, columns=columns, frames=frames, texts=texts, episode=values)

    def close(self) -> None:
        """Closes files; reopened when needed."""
        for files in (self._files, self._data):
            for file in files.values():
                file.close()
            files.clear()

    def __getstate__(self) -> dict[str, Any]:
        """Pickles without open files."""
        return self.__dict__ | {"_files": {}, "_data": {}}

    def _row(self, index: int) -> Mapping[str, Any]:
        if not 0 <= index < len(self):
            raise IndexError(f"episode {index} of a data set of {len(self)}")
        row: Mapping[str, Any] = self._rows[index]
        return row

    def _values(self, row: Mapping[str, Any], path: str, name: str | None = None) -> list[Any]:
        """One column of an episode as plain values."""
        column = self._column(row, name or self._columns[path])
        values: list[Any] = column.to_pylist()
        return values

    def _column(self, row: Mapping[str, Any], name: str) -> Any:
        file = self._data_of(row)
        return file.column(name, file.rows(row["episode_index"], row["length"]))

    def _data_of(self, row: Mapping[str, Any]) -> DataFile:
        """The data file with an episode's rows: the named one, or the one before or after it."""
        named, number = self._layout.path("data_path", row, "data"), row["episode_index"]
        for path in itertools.chain([named], self._layout.neighbours(row)):
            if path not in self._data:
                self._data[path] = DataFile(path if self._remote is None else self._remote.file(path))
            if self._data[path].holds(number) or not row["length"]:
                if path != named:
                    remark = f"episode {number} is in {path}, not in {named.name} as the table of episodes says"
                    self.remarks[remark] = None
                return self._data[path]
        raise CorruptRecordError(named, 0, f"no row is of episode {number}, here or in the files next to it", REMEDY)

    def _array(self, row: Mapping[str, Any], path: str, feature: TensorFeature | DepthFeature) -> npt.NDArray[Any]:
        length = int(row["length"])
        if path not in self._columns and path in ("is_first", "is_last"):
            self._data_of(row).rows(row["episode_index"], length)  # before that much memory is allocated
            return np.arange(length) == (0 if path == "is_first" else length - 1)
        column = self._column(row, self._columns[path])
        while hasattr(column, "storage"):
            column = column.storage
        while hasattr(column, "flatten") and "list" in str(column.type):
            column = column.flatten()
        shape = (feature.height, feature.width, 1) if isinstance(feature, DepthFeature) else feature.shape
        values = np.asarray(column.to_numpy(zero_copy_only=False))
        if values.size != length * int(np.prod(shape)):
            where = self._place("data_path", row, "data")
            raise CorruptRecordError(where, int(row["episode_index"]), f"{path} has {values.size} numbers", REMEDY)
        return values.reshape(length, *shape)

    def _value(self, row: Mapping[str, Any], path: str) -> Any:
        """A value of the whole episode; only folders written by this library have more than the number."""
        if PLACE not in row:
            return int(row["episode_index"])
        place, number = row[PLACE]
        file, name = self._open(place), f"{VALUES}{path}"
        if path == f"{METADATA}/episode_index" and name not in file.schema_arrow.names:
            return int(row["episode_index"])
        before = 0
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if number < before + rows:
                break
            before += rows
        with reading(place, number):
            cells = file.read_row_group(group, columns=[name])
        if name not in cells.column_names:
            raise CorruptRecordError(place, number, f"{path} is missing", REMEDY)
        return load_value(self.features.episode[path], cells[name][number - before].as_py())

    def _place(self, template: str, row: Mapping[str, Any], prefix: str, name: str = "") -> Path:
        """The file that holds an episode, on this machine; arguments as of `LeRobotLayout.path`."""
        path = self._layout.path(template, row, prefix, name)
        return path if self._remote is None else self._remote.file(path)

    def _open(self, path: Path) -> Any:
        if path not in self._files:
            self._files[path] = open_parquet(path)
        return self._files[path]

    def _instruction(self, row: Mapping[str, Any], step: int) -> str:
        number = whole_number(self._values(row, INSTRUCTION, "task_index")[step])
        if number is None or number not in self._layout.tasks:
            raise CorruptRecordError(self.folder, int(row["episode_index"]), f"there is no task {number}", REMEDY)
        return self._layout.tasks[number]

    def _frames(
        self, row: Mapping[str, Any], path: str, feature: ImageFeature
    ) -> Callable[[int], npt.NDArray[np.uint8]]:
        name = self._columns[path]
        if name in self._videos:
            return self._filmed(row, name, feature)
        cells: list[Any] = []

        def frame(step: int) -> npt.NDArray[np.uint8]:
            if not cells:
                cells.extend(self._values(row, path))
            return decode_image(image_file(cells[step], self._named), feature.channels)

        return frame

    def _named(self, name: str) -> bytes:
        """The image file that a cell names, in the folder of the data set."""
        above = str(self.folder.absolute()) + "/"
        path = inside(self.folder, name.removeprefix(above), self.folder)
        try:
            return (path if self._remote is None else self._remote.file(path)).read_bytes()
        except OSError as error:
            raise CorruptRecordError(path, 0, f"the image cannot be read ({error})", REMEDY) from error

    def _filmed(
        self, row: Mapping[str, Any], name: str, feature: ImageFeature
    ) -> Callable[[int], npt.NDArray[np.uint8]]:
        """Frames of a video, which is located when the first one is requested."""
        segments: list[VideoSegment] = []

        def frame(step: int) -> npt.NDArray[np.uint8]:
            if not segments:
                segments.append(self._segment(row, name))
            return segments[0].frame(step)[..., : feature.channels]

        return frame

    def _segment(self, row: Mapping[str, Any], name: str) -> VideoSegment:
        """The frames of an episode in its video file, chosen by the timestamps of its rows."""
        field, stamped = self._videos[name], "timestamp" in self._info["features"]
        file = self._place("video_path", row, f"videos/{name}", name)
        timestamps = self._column(row, "timestamp").to_numpy(zero_copy_only=False) if stamped else None
        return VideoSegment(field.stretch(file, row), field.times(row, timestamps))


LAYOUT = Layout(
    "lerobot",
    "LeRobot v2 or v3 (meta/info.json)",
    lambda path: (path / "meta" / "info.json").exists(),
    lambda place, split, instruction: LeRobotSource(place, split=split),
    behind=lambda url: has_file(f"{url.rstrip('/')}/meta/info.json"),
    rank=1,
)

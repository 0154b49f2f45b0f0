"""LeRobotWriter: LeRobot data sets, version 3, in groups of episodes with one parquet file and one video per camera."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.codecs.image_codec import encode_image
from embodio.datasets.codecs.video import join_videos, write_video
from embodio.datasets.episodes.features import INSTRUCTION, EpisodeFeatures, ImageFeature, TextFeature
from embodio.datasets.episodes.source import EpisodeView
from embodio.datasets.errors import DatasetError, FeatureError
from embodio.datasets.sources.lerobot.columns import image_column, number_column, store_value, task_table
from embodio.datasets.sources.lerobot.layout import VALUES
from embodio.datasets.sources.lerobot.meta import (
    CHUNK,
    DATA,
    EPISODES,
    VIDEOS,
    fields_of,
    info_of,
    names_of,
    place,
    statistics_of,
)
from embodio.datasets.sources.lerobot.names import OWN
from embodio.datasets.sources.lerobot.stats import LARGEST, FrameStatistics, NumberStatistics
from embodio.datasets.sources.parquet import parquet, read_table
from embodio.envs.embodiment import Embodiment
from embodio.model.writing import replacing, write_text

GROUP_STEPS = 4000
_ROWS = 16  # of the table of episodes in a row group
_PARQUET: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}


class LeRobotWriter:
    """Writes episodes, and their descriptions on closing.

    The file of a group's episodes is written last, so what a killed process leaves is either complete or ignored; a
    writer with the same arguments resumes after it, and the resulting files are identical.

    Attributes:
        folder: of the data set.
    """

    def __init__(
        self,
        folder: str | Path,
        features: EpisodeFeatures,
        *,
        fps: float,
        embodiment: Embodiment | None = None,
        images: str = "video",
        description: str = "",
        group_steps: int | None = None,
    ) -> None:
        """Opens a folder, and takes over the complete groups of an earlier writer.

        Args:
            folder: is made if missing.
            features: of the episodes; images need a size.
            fps: steps per second.
            embodiment: the robot, if it is known.
            images: "video" (H.264, nearly lossless) or "png" (lossless). Grey images are always stored as PNG.
            description: one line for readers.
            group_steps: a group is complete when it has this many steps; None takes GROUP_STEPS.

        Raises:
            FeatureError: a field cannot be held, or two would have the same name.
            DatasetError: pyarrow is missing.
        """
        self._parquet = parquet()
        self.folder = Path(folder)
        self._source, self._fps, self._embodiment = features, int(fps) if fps == int(fps) else fps, embodiment
        self._about, self._group_steps = description, group_steps or GROUP_STEPS
        self._names = names_of(features)
        self._fields = fields_of(features, self._names, embodiment, video=images == "video")
        self._segments = self.folder / ".segments"
        self._tasks: dict[str, int] = {}
        self._rows: list[dict[str, Any]] = []  # of the group that is being written
        self._tables: list[Any] = []
        self._safe = self._steps = 0  # episodes and steps of the groups that are complete
        self._group = self._recover()

    @property
    def written(self) -> int:
        """Number of episodes written, including those of earlier writers."""
        return self._safe + len(self._rows)

    def add(self, episode: EpisodeView) -> None:
        """Appends an episode.

        Raises:
            FeatureError, CorruptRecordError: it is damaged or does not fit; nothing of it is kept.
        """
        import pyarrow as pa

        if not len(episode):
            raise FeatureError("the episode has no steps")
        stats: dict[str, Any] = {}
        columns = self._columns(episode, stats)
        tasks = [episode.text(INSTRUCTION, step) for step in range(len(episode))]
        known = dict(self._tasks)
        for task in tasks:
            known.setdefault(task, len(known))
        columns |= self._bookkeeping(len(episode), [known[task] for task in tasks], stats)
        row = self._row(episode, list(dict.fromkeys(tasks)), stats)
        self._tables.append(pa.table(columns))
        self._tasks = known
        self._rows.append(row)
        if sum(row["length"] for row in self._rows) >= self._group_steps:
            self._finish_group()

    def close(self) -> None:
        """Completes the data set; raises DatasetError if no episode was added."""
        if self._rows:
            self._finish_group()
        if not self._safe:
            raise DatasetError(f"{self.folder}: a data set needs at least one episode")
        shutil.rmtree(self._segments, ignore_errors=True)
        with replacing(self.folder / "meta" / "tasks.parquet") as path:
            self._parquet.write_table(task_table(list(self._tasks)), path, **_PARQUET)
        own = {"features": self._source.to_json(), "names": self._names, "description": self._about}
        if self._embodiment is not None:
            own["embodiment"] = self._embodiment.to_dict()
        self._write_json(OWN, own)
        self._write_json("stats.json", statistics_of(self.folder, self._fields, self._group))
        robot = None if self._embodiment is None else self._embodiment.name
        info = info_of(self._fields, self._safe, self._steps, len(self._tasks), self._fps, robot)
        self._write_json("info.json", info)

    def _columns(self, episode: EpisodeView, stats: dict[str, Any]) -> dict[str, Any]:
        """The columns of an episode's fields; videos are written on the way, as one segment each."""
        import pyarrow as pa

        columns: dict[str, Any] = {}
        for path, name in self._names.items():
            feature = self._source.steps[path]
            if isinstance(feature, ImageFeature):
                watched = FrameStatistics(len(episode), feature.channels)
                frames = watched.watch(self._frames(episode, path, name))
                if self._fields[name]["dtype"] == "video":
                    self._write_segment(name, frames)
                else:
                    columns[name] = image_column([encode_image(frame, "png") for frame in frames])
                stats[name] = watched.finish()
            elif isinstance(feature, TextFeature):
                columns[name] = pa.array([episode.text(path, step) for step in range(len(episode))], pa.string())
            else:
                values = np.asarray(episode.array(path))
                columns[name] = number_column(values)
                self._count(name, values, stats)
        return columns

    def _frames(self, episode: EpisodeView, path: str, name: str) -> Iterator[npt.NDArray[np.uint8]]:
        size = tuple(self._fields[name]["shape"])
        for step in range(len(episode)):
            frame = episode.frame(path, step)
            if frame.shape != size:
                raise FeatureError(f"{path}: an image of {frame.shape} at step {step}, where others have {size}")
            yield frame

    def _write_segment(self, name: str, frames: Iterator[npt.NDArray[np.uint8]]) -> None:
        path = self._segments / name / f"{len(self._rows):06d}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, frames, self._fps)

    def _count(self, name: str, values: npt.NDArray[Any], stats: dict[str, Any]) -> None:
        if np.prod(values.shape[1:], dtype=int) <= LARGEST:
            numbers = NumberStatistics(values.shape[1:])
            numbers.update(values)
            found = numbers.finish()
            if found is not None:
                stats[name] = found

    def _bookkeeping(self, length: int, tasks: list[int], stats: dict[str, Any]) -> dict[str, Any]:
        steps = np.arange(length)
        values = {
            "timestamp": (steps / self._fps).astype(np.float32),
            "frame_index": steps,
            "episode_index": np.full(length, self.written),
            "index": self._steps_so_far() + steps,
            "task_index": np.array(tasks),
        }
        for name, column in values.items():
            self._count(name, column, stats)
        return {name: number_column(column) for name, column in values.items()}

    def _row(self, episode: EpisodeView, tasks: list[str], stats: Mapping[str, Any]) -> dict[str, Any]:
        """The row of an episode in the table of episodes."""
        begin, before = self._steps_so_far(), sum(row["length"] for row in self._rows)
        where = {"chunk_index": self._group // CHUNK, "file_index": self._group % CHUNK}
        row: dict[str, Any] = {"episode_index": self.written, "tasks": tasks, "length": len(episode)}
        row |= {f"data/{key}": value for key, value in where.items()}
        row |= {"dataset_from_index": begin, "dataset_to_index": begin + len(episode)}
        for name in self._videos():
            row |= {f"videos/{name}/{key}": value for key, value in where.items()}
            row[f"videos/{name}/from_timestamp"] = before / self._fps
            row[f"videos/{name}/to_timestamp"] = (before + len(episode)) / self._fps
        row |= {f"stats/{name}/{key}": value for name, found in stats.items() for key, value in found.items()}
        row |= {f"meta/episodes/{key}": value for key, value in where.items()}
        for path, feature in self._source.episode.items():
            row[f"{VALUES}{path}"] = store_value(feature, episode.value(path))
        return row

    def _finish_group(self) -> None:
        """Writes the files of a group, the table of its episodes last."""
        for name in self._videos():
            segments = [self._segments / name / f"{number:06d}.mp4" for number in range(len(self._rows))]
            join_videos(self._place(VIDEOS, name), segments)
        schema = self._tables[0].schema
        with (
            replacing(self._place(DATA)) as path,
            self._parquet.ParquetWriter(path, schema, **_PARQUET) as writer,
        ):
            for table in self._tables:  # a row group each, so that an episode is read without others
                writer.write_table(table, row_group_size=len(table))
        with replacing(self._place(EPISODES)) as path:
            self._parquet.write_table(_episode_table(self._rows), path, row_group_size=_ROWS, **_PARQUET)
        self._safe += len(self._rows)
        self._steps = self._rows[-1]["dataset_to_index"]
        self._rows, self._tables = [], []
        self._group += 1

    def _place(self, template: str, name: str = "") -> Path:
        path = self.folder / place(template, self._group, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _recover(self) -> int:
        """Takes over complete groups; returns how many there are."""
        group = 0
        while True:
            path = self.folder / place(EPISODES, group)
            if not path.exists():
                return group
            rows = read_table(path, lambda name: name in ("tasks", "dataset_to_index")).to_pylist()
            for task in (task for row in rows for task in row["tasks"]):
                self._tasks.setdefault(task, len(self._tasks))
            self._safe += len(rows)
            self._steps = rows[-1]["dataset_to_index"]
            group += 1

    def _steps_so_far(self) -> int:
        return int(self._rows[-1]["dataset_to_index"]) if self._rows else self._steps

    def _videos(self) -> list[str]:
        return [name for name, feature in self._fields.items() if feature["dtype"] == "video"]

    def _write_json(self, name: str, content: Mapping[str, Any]) -> None:
        write_text(self.folder / "meta" / name, json.dumps(content, indent=4, ensure_ascii=False) + "\n")


def _episode_table(rows: list[dict[str, Any]]) -> Any:
    """Rows as a table; statistics that an episode lacks, because it has no finite values, are null."""
    import pyarrow as pa

    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})

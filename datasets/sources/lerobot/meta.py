"""The folder `meta` of a LeRobot data set that we write: fields, files and statistics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from embodio.datasets.episodes.features import INSTRUCTION, EpisodeFeatures, ImageFeature
from embodio.datasets.errors import FeatureError
from embodio.datasets.sources.lerobot.columns import described
from embodio.datasets.sources.lerobot.names import BOOKKEEPING, lerobot_name
from embodio.datasets.sources.lerobot.stats import LARGEST, NumberStatistics, merge_frames
from embodio.datasets.sources.parquet import read_table
from embodio.envs.embodiment import Embodiment

VERSION = "v3.0"
CHUNK = 1000  # files in a folder
_FILE = "chunk-{chunk_index:03d}/file-{file_index:03d}"
DATA = f"data/{_FILE}.parquet"
VIDEOS = f"videos/{{video_key}}/{_FILE}.mp4"
EPISODES = f"meta/episodes/{_FILE}.parquet"


def place(template: str, group: int, key: str = "") -> str:
    """The file of a group of episodes."""
    return template.format(chunk_index=group // CHUNK, file_index=group % CHUNK, video_key=key)


def names_of(features: EpisodeFeatures) -> dict[str, str]:
    """Path of each field but the instruction, which is the task -> its name in LeRobot."""
    names = {path: lerobot_name(path, feature) for path, feature in features.steps.items() if path != INSTRUCTION}
    taken: dict[str, str] = dict.fromkeys(BOOKKEEPING, "the bookkeeping of LeRobot")
    for path, name in names.items():
        if name in taken:
            raise FeatureError(f"{path} would be {name!r} in LeRobot, as {taken[name]}. Rename it through a YAML file")
        taken[name] = path
    return names


def fields_of(
    features: EpisodeFeatures, names: Mapping[str, str], embodiment: Embodiment | None, *, video: bool
) -> dict[str, dict[str, Any]]:
    """The entries in info.json of the fields of `names`; raises FeatureError if LeRobot cannot hold one."""
    dimensions: dict[str, list[str]] = {}
    if embodiment is not None:
        dimensions["action"] = [dimension.name for dimension in embodiment.action.dimensions]
        dimensions["expert_action"] = dimensions["action"]
        dimensions["observation/state"] = [dimension.name for dimension in embodiment.state]
    fields: dict[str, dict[str, Any]] = {}
    for path, name in names.items():
        feature = features.steps[path]
        colour = isinstance(feature, ImageFeature) and feature.channels == 3
        fields[name] = described(path, feature, dimensions.get(path), video=video and colour)
    return fields


def info_of(
    fields: Mapping[str, dict[str, Any]], episodes: int, steps: int, tasks: int, fps: float, robot: str | None
) -> dict[str, Any]:
    """The content of info.json.

    Args:
        fields: of `fields_of`.
        episodes: number of episodes.
        steps: total number of steps.
        tasks: number of different instructions.
        fps: steps per second.
        robot: its name.
    """
    features = with_bookkeeping(fields)
    for name, field in features.items():
        if field["dtype"] == "video":
            features[name] = field | {"info": _video(field["shape"], fps)}
    videos = any(field["dtype"] == "video" for field in features.values())
    return {
        "codebase_version": VERSION,
        "robot_type": robot,
        "total_episodes": episodes,
        "total_frames": steps,
        "total_tasks": tasks,
        "chunks_size": CHUNK,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": fps,
        "splits": {"train": f"0:{episodes}"},
        "data_path": DATA,
        "video_path": VIDEOS if videos else None,
        "features": features,
    }


def statistics_of(folder: Path, fields: Mapping[str, dict[str, Any]], groups: int) -> dict[str, Any]:
    """The content of stats.json: of numbers exactly, by reading them again; of images from those of the episodes.

    Args:
        folder: of the data set.
        fields: of `fields_of`.
        groups: number of groups of episodes.
    """
    found: dict[str, Any] = {}
    for name, field in with_bookkeeping(fields).items():
        if field["dtype"] in ("video", "image"):
            found[name] = merge_frames(_rows_of(folder, f"stats/{name}/", groups))
        elif field["dtype"] != "string" and np.prod(field["shape"]) <= LARGEST:
            numbers = _numbers(folder, name, tuple(field["shape"]), groups)
            found |= {} if numbers is None else {name: numbers}
    return found


def with_bookkeeping(fields: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The fields, with those that every LeRobot data set has."""
    kinds = dict.fromkeys(BOOKKEEPING, "int64") | {"timestamp": "float32"}
    return {**fields, **{name: {"dtype": kind, "shape": [1], "names": None} for name, kind in kinds.items()}}


def _rows_of(folder: Path, prefix: str, groups: int) -> Iterator[dict[str, Any]]:
    """The values in the table of episodes under names with a prefix."""
    for group in range(groups):
        table = read_table(folder / place(EPISODES, group), lambda name: name.startswith(prefix))
        for row in table.to_pylist():
            yield {name.removeprefix(prefix): value for name, value in row.items()}


def _numbers(folder: Path, name: str, shape: tuple[int, ...], groups: int) -> dict[str, Any] | None:
    numbers = NumberStatistics(shape)
    for group in range(groups):
        column = read_table(folder / place(DATA, group), lambda other: other == name)[name].combine_chunks()
        while hasattr(column, "flatten") and "list" in str(column.type):
            column = column.flatten()
        numbers.update(np.asarray(column.to_numpy(zero_copy_only=False)).reshape(-1, *shape))
    return numbers.finish()


def _video(shape: Sequence[int], fps: float) -> dict[str, Any]:
    height, width, channels = shape
    return {
        "video.height": height,
        "video.width": width,
        "video.channels": channels,
        "video.codec": "h264",
        "video.pix_fmt": "yuv420p" if height % 2 == width % 2 == 0 else "yuv444p",
        "video.is_depth_map": False,
        "video.fps": fps,
        "has_audio": False,
    }

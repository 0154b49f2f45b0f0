"""The videos of a LeRobot data set: the field of each, and the place of an episode in its file."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.codecs.video_segments import Stretch
from embodio.datasets.episodes.features import ImageFeature, TensorFeature
from embodio.datasets.errors import FeatureError

_CHANNELS = (1, 3)
_DEPTH_PIXELS = re.compile(r"gray(9|10|12|14|16)(le|be)?")
_QUANTISED = ("depth_min", "depth_max")  # of codes that encode metres, on their own scale


def picture_feature(name: str, described: Mapping[str, Any]) -> ImageFeature | TensorFeature:
    """The feature of a field of videos or images.

    Args:
        name: of the field.
        described: its entry in info.json.

    Raises:
        FeatureError: it can be read neither as a camera nor as depth of 16 bits.
    """
    height, width, channels = _size(name, described)
    about = _about(described)
    pixels = str(about.get("pix_fmt") or "")
    deep = _DEPTH_PIXELS.fullmatch(pixels) is not None
    if not deep and not about.get("is_depth_map"):
        return ImageFeature(height, width, channels, "jpeg")
    if described["dtype"] != "video" or not deep:
        raise FeatureError(f"{name}: depth as {pixels or described['dtype']} is not read; gray9 to gray16 videos are")
    if any(about.get(key) is not None for key in _QUANTISED):
        raise FeatureError(
            f"{name}: its depth is stored as codes between depth_min and depth_max, which are not read. Write it again "
            "with the depth itself as numbers of 16 bits"
        )
    return TensorFeature("uint16", (height, width, 1), "png")


class VideoField:
    """The places of a data set's episodes in the video files of one field."""

    def __init__(self, name: str, described: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], fps: float) -> None:
        """Sorts the episodes by file.

        Args:
            name: of the field.
            described: what info.json says of it.
            rows: of all episodes of the data set, those of other splits included.
            fps: steps per second.
        """
        self._key, self._fps = f"videos/{name}", fps
        self._height, self._width, _ = _size(name, described)
        rate = _about(described).get("fps")
        self._rate = float(rate) if isinstance(rate, int | float) and 0 < rate < math.inf else None
        self._files: dict[tuple[int, int], list[tuple[float, int, float]]] = {}
        for row in rows:
            self._files.setdefault(self._file(row), []).append((self._begin(row), int(row["length"]), self._end(row)))
        for episodes in self._files.values():
            episodes.sort()

    def stretch(self, path: Path, row: Mapping[str, Any]) -> Stretch:
        """The place of an episode in its file.

        Args:
            path: the file.
            row: of the episode.
        """
        begin, episodes = self._begin(row), self._files[self._file(row)]
        following = [start for start, length, _ in episodes if length and start >= begin]
        if row["length"]:
            following.remove(begin)  # of two episodes that begin together, one has no frame
        return Stretch(
            path,
            begin,
            end=min([self._end(row), *following]),
            step=1 / self._fps,
            height=self._height,
            width=self._width,
            rate=self._rate,
            before=sum(length for start, length, _ in episodes if start < begin),
            total=sum(length for _, length, _ in episodes),
            file_end=max(end for _, _, end in episodes),
        )

    def times(self, row: Mapping[str, Any], timestamps: npt.NDArray[Any] | None) -> npt.NDArray[np.float64]:
        """The time of each step of an episode in its file, float64 [T], in seconds.

        Args:
            row: of the episode.
            timestamps: of the steps, [T], in seconds since the episode began; None where the data set has none.
        """
        steps = np.arange(int(row["length"])) / self._fps
        return self._begin(row) + (steps if timestamps is None else np.asarray(timestamps, np.float64).reshape(-1))

    def _file(self, row: Mapping[str, Any]) -> tuple[int, int]:
        return row[f"{self._key}/chunk_index"], row[f"{self._key}/file_index"]

    def _begin(self, row: Mapping[str, Any]) -> float:
        return float(row[f"{self._key}/from_timestamp"])

    def _end(self, row: Mapping[str, Any]) -> float:
        end = row.get(f"{self._key}/to_timestamp")
        if isinstance(end, int | float) and math.isfinite(end):
            return float(end)
        return self._begin(row) + float(row["length"] / self._fps)


def _about(described: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of a video in info.json, with names without "video."."""
    found = described.get("info") or described.get("video_info") or {}
    about: dict[str, Any] = {}
    for key, value in found.items() if isinstance(found, dict) else ():
        name = str(key).removeprefix("video.")
        about[name] = value or about.get(name)  # some writers use both names
    return about


def _size(name: str, described: Mapping[str, Any]) -> tuple[int, int, int]:
    """Height, width and channels of a field, which may have its channels first."""
    shape = tuple(int(size) for size in described["shape"])
    if shape[0] in _CHANNELS and shape[-1] not in _CHANNELS:  # names are not always given
        shape = (*shape[1:], shape[0])
    if shape[-1] not in _CHANNELS:
        raise FeatureError(f"{name}: images of the shape {tuple(described['shape'])} cannot be read")
    return shape[0], shape[1], shape[2]

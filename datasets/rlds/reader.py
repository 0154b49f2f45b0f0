"""Reads RLDS data sets without TensorFlow: any episode at once, by number."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import CorruptRecordError, DatasetError
from embodio.datasets.rlds.episode import Episode
from embodio.datasets.rlds.features import EpisodeFeatures
from embodio.datasets.rlds.tfrecord import read_payload, scan
from embodio.datasets.rlds.writer import SPLIT, shard_name
from embodio.envs.embodiment import Embodiment

INDEX_NAME = "record_index.json"


@dataclass(frozen=True)
class _Shard:
    path: Path
    spans: npt.NDArray[np.int64]  # [N, 2] offset and length of each payload


class RLDSReader:
    """A data set of episodes on disk, as tfds or `embodio.datasets.rlds.writer` wrote it.

    The positions of the records are found once and kept in a small file beside the data (where the folder can be
    written). Files are opened on first use and read at absolute positions, so a reader may be pickled, forked and used
    by several threads.

    Attributes:
        folder: where the data set is.
        name: its name.
        version: its version.
        features: what an episode holds.
    """

    def __init__(self, folder: str | Path, split: str = SPLIT) -> None:
        """Opens a data set.

        Args:
            folder: holds dataset_info.json and features.json.
            split: name of the split.

        Raises:
            DatasetError: the folder holds no such data set, or is not in tfrecord format.
            CorruptRecordError: a file is damaged or cut off.
        """
        self.folder = Path(folder)
        info = _load_info(self.folder)
        self.name: str = info["name"]
        self.version: str = info["version"]
        self.features = EpisodeFeatures.load(self.folder)
        lengths = _shard_lengths(self.folder, info, split)
        paths = [self.folder / shard_name(self.name, shard, len(lengths), split) for shard in range(len(lengths))]
        self._shards = _index(self.folder, paths, lengths)
        self._ends = np.cumsum(lengths)
        self._steps: dict[int, list[int]] = {}
        self._descriptors: dict[int, int] = {}

    def __len__(self) -> int:
        """Returns the number of episodes."""
        return int(self._ends[-1])

    def __iter__(self) -> Iterator[Episode]:
        """Yields all episodes in order."""
        return (self.episode(index) for index in range(len(self)))

    @property
    def embodiment(self) -> Embodiment:
        """The robot that was recorded.

        Raises:
            DatasetError: the data set does not say.
        """
        path = self.folder / "embodiment.json"
        if not path.exists():
            raise DatasetError(f"{path} is missing. Describe the robot with Embodiment(...).save({str(path)!r})")
        return Embodiment.load(path)

    def episode(self, index: int) -> Episode:
        """Reads one episode.

        Args:
            index: from 0 to len - 1, in the order of the shards.

        Raises:
            CorruptRecordError: its record is damaged.
            IndexError: there is no such episode.
        """
        return Episode(self.record(index), self.features)

    def episode_length(self, index: int) -> int:
        """Returns the number of steps of one episode.

        The first call for a shard reads all of it; the numbers are then kept, also in the file beside the data.
        Errors as in `episode`.
        """
        number, inside = self._place(index)
        if number not in self._steps:
            self._steps[number] = self._count_steps(number)
        known = self._steps[number][inside]
        return len(self.episode(index)) if known < 0 else known

    def record(self, index: int) -> bytes:
        """Returns the serialised record of one episode; errors as in `episode`."""
        number, inside = self._place(index)
        shard = self._shards[number]
        offset, length = (int(value) for value in shard.spans[inside])
        return read_payload(self._descriptor(number), shard.path, inside, offset, length)

    def close(self) -> None:
        """Closes the files; they open again when they are needed."""
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()

    def __del__(self) -> None:
        """Closes the files."""
        if "_descriptors" in self.__dict__:
            self.close()

    def __getstate__(self) -> dict[str, Any]:
        """Leaves the open files behind: a copy opens its own."""
        return self.__dict__ | {"_descriptors": {}}

    def _place(self, index: int) -> tuple[int, int]:
        """Number of the shard, and of the record in it."""
        if not 0 <= index < len(self):
            raise IndexError(f"episode {index} of a data set of {len(self)}")
        number = int(np.searchsorted(self._ends, index, side="right"))
        return number, index - (int(self._ends[number]) - len(self._shards[number].spans))

    def _count_steps(self, number: int) -> list[int]:
        """Steps of all episodes of a shard; -1 stands for a damaged record."""
        shard = self._shards[number]
        known = _load_index(self.folder)
        entry = known.get(shard.path.name)
        steps = entry.get("steps") if isinstance(entry, dict) and _is_true(entry, shard.path) else None
        if isinstance(steps, list) and len(steps) == len(shard.spans) and all(isinstance(n, int) for n in steps):
            return steps
        first = int(self._ends[number]) - len(shard.spans)
        steps = [self._steps_or_damage(index) for index in range(first, first + len(shard.spans))]
        if isinstance(entry, dict):
            _save_index(self.folder, known | {shard.path.name: entry | {"steps": steps}})
        return steps

    def _steps_or_damage(self, index: int) -> int:
        try:
            return len(self.episode(index))
        except DatasetError:  # told to whoever wants this episode
            return -1

    def _descriptor(self, number: int) -> int:
        if number not in self._descriptors:
            opened = os.open(self._shards[number].path, os.O_RDONLY)
            if self._descriptors.setdefault(number, opened) != opened:  # another thread was faster
                os.close(opened)
        return self._descriptors[number]


def _load_info(folder: Path) -> dict[str, Any]:
    path = folder / "dataset_info.json"
    try:
        info: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing. Give the folder of a data set, or collect one into it") from error
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path} is not JSON: {error}. Fetch it again") from error
    missing = [key for key in ("name", "version", "splits") if key not in info]
    if missing:
        raise DatasetError(f"{path} lacks {missing}. It was not written by tfds 4 or by this library")
    if info.get("fileFormat", "tfrecord") != "tfrecord":
        raise DatasetError(f"{path}: only tfrecord files can be read, not {info['fileFormat']}. Convert them with tfds")
    return info


def _shard_lengths(folder: Path, info: dict[str, Any], split: str) -> list[int]:
    splits = {entry["name"]: entry for entry in info["splits"]}
    if split not in splits:
        raise DatasetError(f"{folder} has no split {split!r}; it has {', '.join(sorted(splits))}")
    lengths = [int(length) for length in splits[split].get("shardLengths", [])]
    if not lengths:
        raise DatasetError(f"{folder}: the split {split!r} is empty")
    return lengths


def _index(folder: Path, paths: list[Path], lengths: list[int]) -> list[_Shard]:
    """Returns where the records are, from the side file where it is still true, else from the files."""
    known = _load_index(folder)
    shards: list[_Shard] = []
    entries: dict[str, Any] = {}
    for path, length in zip(paths, lengths, strict=True):
        if not path.exists():
            raise DatasetError(f"{path} is missing. Fetch it, or collect the data set again")
        entry = known.get(path.name)
        if not isinstance(entry, dict) or not _is_true(entry, path):
            status = path.stat()
            entry = {"size": status.st_size, "mtime": status.st_mtime_ns, "spans": scan(path).tolist()}
        spans = np.array(entry["spans"], dtype=np.int64).reshape(-1, 2)
        if len(spans) != length:
            found = min(len(spans), length)
            raise CorruptRecordError(
                path, found, f"{len(spans)} records, but dataset_info.json says {length}", "Fetch both again"
            )
        shards.append(_Shard(path, spans))
        entries[path.name] = entry
    if entries != {name: known.get(name) for name in entries}:
        _save_index(folder, known | entries)
    return shards


def _is_true(entry: dict[str, Any], path: Path) -> bool:
    """Whether what is known of a file was found in the very file that is there."""
    status = path.stat()
    return bool(entry.get("size") == status.st_size and entry.get("mtime") == status.st_mtime_ns)


def _load_index(folder: Path) -> dict[str, Any]:
    try:
        index = json.loads((folder / INDEX_NAME).read_text())
    except (OSError, ValueError):  # not there, or cut off by a crash: it is only a shortcut
        return {}
    return index if isinstance(index, dict) else {}


def _save_index(folder: Path, index: dict[str, Any]) -> None:
    """Keeps the index for the next time; a folder that cannot be written simply does without."""
    temporary = folder / f".{INDEX_NAME}.{os.getpid()}"
    try:
        temporary.write_text(json.dumps({name: index[name] for name in sorted(index) if (folder / name).exists()}))
        temporary.replace(folder / INDEX_NAME)
    except OSError:
        temporary.unlink(missing_ok=True)

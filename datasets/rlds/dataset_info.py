"""dataset_info.json of a data set: its name, version, format, and the shards of its splits."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embodio.datasets.errors import DatasetError, UnsafeName
from embodio.datasets.files.names import relative
from embodio.datasets.rlds.split_slices import read_slices

INFO_NAME = "dataset_info.json"
FORMATS = ("tfrecord", "array_record")
_TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"


@dataclass(frozen=True)
class ShardPart:
    """A shard of a split, or some of its records.

    Attributes:
        name: of the file.
        count: records in the file.
        first: number of the first record that belongs to the split.
        last: one past the number of the last one.
    """

    name: str
    count: int
    first: int
    last: int

    def __len__(self) -> int:
        """Returns the number of records that belong to the split."""
        return self.last - self.first


@dataclass(frozen=True)
class DatasetInfo:
    """The parts of dataset_info.json needed for reading.

    Attributes:
        name: of the data set.
        version: of the data.
        file_format: "tfrecord" or "array_record".
        splits: name -> tfds' description of the split.
        path: of the file, for errors.
    """

    name: str
    version: str
    file_format: str
    splits: dict[str, dict[str, Any]]
    path: Path

    @classmethod
    def load(cls, folder: Path) -> DatasetInfo:
        """Reads `folder`/dataset_info.json.

        Raises:
            DatasetError: it is missing, not JSON, or not as tfds writes it.
        """
        path = folder / INFO_NAME
        try:
            info = json.loads(path.read_bytes())
        except FileNotFoundError as error:
            raise DatasetError(f"{path} is missing. Give the folder of a data set, or collect one into it") from error
        except ValueError as error:
            raise DatasetError(f"{path} is not JSON: {error}. Fetch it again") from error
        missing = [key for key in ("name", "version", "splits") if not isinstance(info, dict) or key not in info]
        if missing:
            raise DatasetError(f"{path} lacks {missing}. It was not written by tfds 4 or by this library")
        file_format = str(info.get("fileFormat") or "tfrecord")
        if file_format not in FORMATS:
            raise DatasetError(
                f"{path}: only {' and '.join(FORMATS)} files can be read without TensorFlow, not {file_format}. Copy "
                "them with `embodio-data convert tfds:NAME folder=DATA_DIR out=...`, which has tfds read them"
            )
        if not isinstance(info["splits"], list):
            raise DatasetError(f"{path}: splits is not a list. Fetch it again")
        splits = {
            str(entry["name"]): entry for entry in info["splits"] if isinstance(entry, dict) and entry.get("name")
        }
        return cls(str(info["name"]), str(info["version"]), file_format, splits, path)

    def shards(self, split: str) -> list[ShardPart]:
        """The shards of a split, in order.

        Args:
            split: name of the split, or another expression of `read_slices`: "train[:90%]", "train+test", "all".

        Raises:
            DatasetError: there is no such split, it is empty, or its shards are not described.
        """
        described = {name: self._shards_of(name) for name in self.splits}
        lengths = {name: [count for _, count in shards] for name, shards in described.items()}
        slices = read_slices(split, lengths, self.path.parent)
        found: list[ShardPart] = []
        for part in slices:
            start = 0
            for name, count in described[part.split]:
                first, last = max(part.first - start, 0), min(part.last - start, count)
                if first < last:
                    found.append(ShardPart(name, count, first, last))
                start += count
        if not found:
            raise DatasetError(f"{self.path.parent}: the split {split!r} is empty. Choose another one")
        return found

    def _shards_of(self, split: str) -> list[tuple[str, int]]:
        entry = self.splits[split]
        try:
            lengths = [int(length) for length in entry.get("shardLengths", [])]
        except (TypeError, ValueError) as error:
            raise DatasetError(f"{self.path}: shardLengths of {split!r} are not numbers. Fetch it again") from error
        if any(length < 0 for length in lengths):
            raise DatasetError(f"{self.path}: shardLengths of {split!r} are below zero. Fetch it again")
        names = [self._shard_name(entry, split, shard, len(lengths)) for shard in range(len(lengths))]
        return list(zip(names, lengths, strict=True))

    def _shard_name(self, entry: dict[str, Any], split: str, shard: int, total: int) -> str:
        """Fills in the template of a split, such as "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"."""
        known = {
            "DATASET": self.name,
            "SPLIT": split,
            "FILEFORMAT": self.file_format,
            "SHARD_INDEX": f"{shard:05d}",
            "NUM_SHARDS": f"{total:05d}",
            "SHARD_X_OF_Y": f"{shard:05d}-of-{total:05d}",
        }
        template = str(entry.get("filepathTemplate") or _TEMPLATE)
        name = re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], found[0]), template)
        if "/" in name or "{" in name:
            raise UnsafeName(self.path, template, "is not that of a file")
        return relative(name, self.path).as_posix()

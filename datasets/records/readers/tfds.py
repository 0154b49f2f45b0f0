"""Data sets of TensorFlow Datasets that hold no episodes but images, captions or sounds, without TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError
from embodio.datasets.files.remote import mirror
from embodio.datasets.records.columns import RowRecords
from embodio.datasets.records.files.file_set import FileSet
from embodio.datasets.records.files.tables import Table, content_digest
from embodio.datasets.records.opening import RecordFormat
from embodio.datasets.records.settings import REMEDY, Origin, RecordSettings
from embodio.datasets.rlds.dataset_info import INFO_NAME, DatasetInfo, ShardPart
from embodio.datasets.rlds.example_proto import DecodedExample
from embodio.datasets.rlds.pieces.record_index import RecordIndex
from embodio.datasets.rlds.shards import Shard, open_shard
from embodio.datasets.rlds.tfrecord import scan

FEATURES_NAME = "features.json"


class TfdsRecords(RowRecords):
    """Examples of a split, with their features as columns ("captions/text" is the column "captions.text").

    Args:
        files: all files of the version's folder.
        folder: where the descriptions are on this machine.
        settings: how they are read; the split may be a slice, such as "train[:90%]".
    """

    kind = "tfds"

    def __init__(self, files: FileSet, folder: Path, settings: RecordSettings) -> None:
        info = DatasetInfo.load(folder)
        self._features = json.loads((folder / FEATURES_NAME).read_text(encoding="utf-8"))
        self._labels = label_files(folder)
        parts = info.shards(settings.split or "train")
        index = RecordIndex(folder)
        self._shards: list[Shard] = [
            open_shard(files.root, part.name, part.count, index, info.file_format) for part in parts
        ]
        super().__init__(files.only(part.name for part in parts), settings)
        self._kept = _sliced(parts, self._tables.counts)
        self._size = len(self._kept)

    def _table(self, number: int) -> Table:
        file, shard = self.files.file(number), self._shards[number]
        if "tfrecord" not in shard.name:
            return Table({}, content_digest(file), shard.count)
        try:
            found, problem = len(scan(file, unfinished=True)), ""
        except CorruptRecordError as error:
            return Table({}, content_digest(file), 0, str(error))
        if found != shard.count:
            problem = f"{found} records, but {INFO_NAME} says {shard.count}"
        return Table({}, content_digest(file), found if found == shard.count else 0, problem)

    def _row(self, number: int, row: int) -> tuple[Mapping[str, Any], Origin]:
        origin = self.origin(number, row, f"in the record {row}")
        try:
            example = DecodedExample(self._shards[number].record(row))
            return row_of(example, self._features, self._labels), origin
        except FeatureError as error:
            raise CorruptRecordError(origin.path, row, str(error), REMEDY) from error


def row_of(
    example: DecodedExample, features: Mapping[str, Any], labels: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    """The values of an Example as nested columns; raises FeatureError if one is not as features.json says.

    Args:
        example: the stored values, by their path with slashes.
        features: the content of features.json.
        labels: path -> names of the classes.
    """
    there = set(example.names())

    def value(kind: Mapping[str, Any], path: str, several: bool) -> Any:
        if "featuresDict" in kind:
            inner = kind["featuresDict"].get("features", {})
            return {name: value(one, f"{path}/{name}" if path else name, several) for name, one in inner.items()}
        if "sequence" in kind:
            return value(kind["sequence"].get("feature", {}), path, True)
        return _leaf(example, kind, path, several, labels) if path in there else None

    found = value(features, "", False)
    if not isinstance(found, dict):
        raise FeatureError(f"{FEATURES_NAME} describes no named features")
    return found


def _leaf(
    example: DecodedExample, kind: Mapping[str, Any], path: str, several: bool, labels: Mapping[str, tuple[str, ...]]
) -> Any:
    """The value of one feature."""
    dtype = kind.get("tensor", {}).get("dtype")
    if "video" in kind:
        return {"frames": list(example.blobs(path))}
    if "image" in kind or "text" in kind or dtype in ("string", "object"):
        blobs = list(example.blobs(path))
        values = blobs if "image" in kind else [_text(blob) for blob in blobs]
        return values if several else values[0] if values else None
    if "classLabel" in kind:
        names, numbers = labels.get(path, ()), example.integers(path).tolist()
        words = [names[number] if 0 <= number < len(names) else number for number in numbers]
        return words if several else words[0] if words else None
    numbers_kind = np.float32 if str(dtype).startswith(("float", "bfloat")) or "boundingBox" in kind else np.int64
    array = example.floats(path) if numbers_kind is np.float32 else _whole(example, path)
    if "audio" in kind:
        rate = float(kind["audio"].get("sampleRate") or 0)
        return {"array": pulse_code(array), "sampling_rate": rate}
    shape = [int(size) for size in kind.get("tensor", {}).get("shape", {}).get("dimensions", [])]
    if several or shape:
        return array.tolist()
    return array.tolist()[0] if len(array) else None


def _whole(example: DecodedExample, path: str) -> npt.NDArray[Any]:
    try:
        return example.integers(path)
    except FeatureError:  # sounds of decimal numbers
        return example.floats(path)


def pulse_code(samples: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Samples that tfds stores as int64, in the narrowest type that holds them, which says how loud they are."""
    if samples.dtype != np.int64:
        return samples
    loudest = int(np.abs(samples).max(initial=0))
    return samples.astype(np.int16 if loudest <= 1 << 15 else np.int32)


def label_files(folder: Path) -> dict[str, tuple[str, ...]]:
    """Path of a feature -> the names of its classes, of files such as "label.labels.txt"."""
    found = {}
    for path in sorted(folder.glob("*.labels.txt")):
        text = path.read_text(encoding="utf-8", errors="replace")
        found[path.name.removesuffix(".labels.txt").replace("-", "/")] = tuple(text.splitlines())
    return found


def _text(blob: bytes) -> str:
    return blob.decode("utf-8", "replace")


def _sliced(parts: list[ShardPart], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The positions of records that belong to the split."""
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    ranges = [
        np.arange(start + part.first, start + min(part.last, count))
        for part, start, count in zip(parts, starts.tolist(), counts.tolist(), strict=True)
    ]
    return np.concatenate(ranges).astype(np.int64)


def version_of(files: FileSet) -> tuple[FileSet, Path] | None:
    """The files of the version, and the folder of its descriptions on this machine; None if files are not tfds'."""
    folders = _described(files)
    if not folders:
        return None
    if len(folders) > 1:
        raise DatasetError(
            f"{files.place} holds several data sets: {', '.join(folders)}. Give the folder of one of them"
        )
    folder = folders[0].rstrip("/")
    names = tuple(name[len(folders[0]) :] for name in files.names if name.startswith(folders[0]))
    if isinstance(files.root, str):
        root = f"{files.root}/{folder}".rstrip("/")
        small = [name for name in names if name.endswith((".json", ".txt"))]
        return FileSet(files.place, root, names), mirror(root, small)
    return FileSet(files.place, files.root / folder, names), files.root / folder


def _described(files: FileSet) -> list[str]:
    """The folders with both descriptions, each with a slash at its end, or "" for the root."""
    there = set(files.names)
    infos = [name.removesuffix(INFO_NAME) for name in files.names if name.rpartition("/")[2] == INFO_NAME]
    return [folder for folder in infos if f"{folder}{FEATURES_NAME}" in there]


def has_steps(folder: Path) -> bool:
    """Whether the examples of a data set are episodes."""
    try:
        features = json.loads((folder / FEATURES_NAME).read_text(encoding="utf-8"))
        return "steps" in features["featuresDict"]["features"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _holds(files: FileSet) -> bool:
    folders = _described(files)
    if len(folders) > 1:  # one for each split, or versions
        return isinstance(files.root, Path) and not any(has_steps(files.root / folder) for folder in folders)
    found = version_of(files)
    return found is not None and not has_steps(found[1])


def _opened(files: FileSet, settings: RecordSettings) -> TfdsRecords:
    found = version_of(files)
    if found is None:
        raise DatasetError(f"{files.place} holds no {INFO_NAME} with a {FEATURES_NAME} next to it")
    return TfdsRecords(*found, settings)


READER = RecordFormat("tfds", "a folder of TensorFlow Datasets", _holds, _opened, rank=-1, takes_splits=True)

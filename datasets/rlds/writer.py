"""RLDSWriter: RLDS data sets that TensorFlow Datasets reads, written without TensorFlow.

A data set is a folder with dataset_info.json, features.json, embodiment.json and the shards
NAME-train.tfrecord-00000-of-00003, ... of framed episodes.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np

from embodio.datasets.codecs.image_codec import encode_depth, encode_image
from embodio.datasets.episodes.features import (
    STEPS,
    DepthFeature,
    EpisodeFeatures,
    Feature,
    ImageFeature,
    TensorFeature,
    TextFeature,
    fits,
)
from embodio.datasets.errors import DatasetError, FeatureError
from embodio.datasets.files.byte_files import LocalFile
from embodio.datasets.rlds.dataset_info import INFO_NAME
from embodio.datasets.rlds.example_proto import ExampleValue, encode_example
from embodio.datasets.rlds.sequences import Item, stored_as
from embodio.datasets.rlds.tensor_codec import encode_tensor
from embodio.datasets.rlds.tfrecord import FOOTER_BYTES, frame, scan
from embodio.envs.embodiment import Embodiment
from embodio.model.writing import sync, write_errors, write_json

SPLIT = "train"
SHARD_BYTES = 32 * 1024 * 1024


def encode_episode(features: EpisodeFeatures, steps: Sequence[Mapping[str, Any]], episode: Mapping[str, Any]) -> bytes:
    """Serialises one episode.

    Args:
        features: the required fields.
        steps: one dict per step, flat paths -> values; images are uint8 [H, W, C] or already compressed bytes.
            A sequence is an array [n, *shape], or a list of texts or images.
        episode: flat paths -> values of the whole episode ("episode_metadata/seed").

    Returns:
        The record, not framed yet.

    Raises:
        FeatureError: there are no steps, a field is missing or unknown, or has the wrong shape or type; names it.
    """
    if not steps:
        raise FeatureError("an episode needs at least one step")
    of_steps = {path.removeprefix(f"{STEPS}/") for path in features.sequences if path.startswith(f"{STEPS}/")}
    of_episode = {path for path in features.sequences if not path.startswith(f"{STEPS}/")}
    for index, step in enumerate(steps):
        _check_names(f"step {index}", features.steps.keys() | of_steps, step)
    _check_names("the episode", features.episode.keys() | of_episode, episode)
    values: dict[str, ExampleValue] = {}
    for path, feature in features.steps.items():
        values[f"{STEPS}/{path}"] = _encode(path, feature, [step[path] for step in steps])
    for path, feature in features.episode.items():
        values[path] = _encode(path, feature, [episode[path]])
    for path in sorted(of_steps):
        item, each = features.sequences[f"{STEPS}/{path}"].item, [step[path] for step in steps]
        values |= stored_as(f"{STEPS}/{path}", _encode_all(path, item, each), [len(value) for value in each])
    for path in sorted(of_episode):
        values |= stored_as(path, _encode_all(path, features.sequences[path].item, [episode[path]]), None)
    return encode_example(values)


class RLDSWriter:
    """Writes episodes into shards and describes them when it is closed; use it in a `with` block.

    Files get their final names only at the end, so an incomplete folder never looks complete.
    """

    def __init__(
        self,
        folder: str | Path,
        name: str,
        features: EpisodeFeatures,
        *,
        description: str = "",
        version: str = "1.0.0",
        shard_bytes: int | None = None,
        resume: bool = False,
    ) -> None:
        """Opens a folder for writing.

        Args:
            folder: is made if missing; must hold no data set yet.
            name: of the data set: lower-case letters, digits and underscores, as tfds requires.
            features: of the episodes.
            description: one line for readers.
            version: of the data, "major.minor.patch".
            shard_bytes: a new shard begins when the current one has this size; None takes SHARD_BYTES.
            resume: continue after the episodes that a killed writer with the same arguments left in this folder; the
                resulting files are identical to those of an uninterrupted run.

        Raises:
            DatasetError: the folder holds a data set, or the name is not one that tfds takes.
        """
        if not name.replace("_", "").isalnum() or name.lower() != name or not name[0].isalpha():
            raise DatasetError(f"data set name {name!r}: use small letters, digits and underscores, a letter first")
        self.folder = Path(folder)
        if resume:
            (self.folder / INFO_NAME).unlink(missing_ok=True)
        elif (self.folder / INFO_NAME).exists():
            raise DatasetError(f"{self.folder} already holds a data set. Choose another folder, or delete it")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._name, self._features, self._description, self._version = name, features, description, version
        self._shard_bytes = shard_bytes or SHARD_BYTES
        self._lengths: list[int] = []
        self._bytes = 0
        self._file: io.FileIO | None = None
        if resume:
            self._recover()

    @property
    def written(self) -> int:
        """Number of episodes, with those of earlier writers that this one resumes."""
        return sum(self._lengths)

    def __enter__(self) -> RLDSWriter:
        """Returns the writer."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Closes the data set, or drops it after an exception."""
        if kind is None:
            self.close()
        else:
            self._drop()

    def add(self, steps: Sequence[Mapping[str, Any]], episode: Mapping[str, Any]) -> None:
        """Appends an episode; arguments and errors as in `encode_episode`."""
        self.add_record(encode_episode(self._features, steps, episode))

    def add_record(self, record: bytes) -> None:
        """Appends an episode that is serialised already.

        Args:
            record: the result of `encode_episode`, or a record of another data set with the same features.

        Raises:
            WriteError: the disk is full; a resumed writer continues before this episode.
        """
        if self._file is not None and self._file.tell() >= self._shard_bytes:
            self._file.close()
            self._file = None
        with write_errors(self._unfinished(max(0, len(self._lengths) - (self._file is not None)))):
            if self._file is None:
                self._file = self._unfinished(len(self._lengths)).open("wb", buffering=0)
                self._lengths.append(0)
            _write_all(self._file, frame(record))
        self._lengths[-1] += 1
        self._bytes += len(record)

    def close(self) -> None:
        """Gives the shards their names and writes the descriptions.

        Raises:
            DatasetError: no episode was added.
        """
        if not self._lengths or self._file is None:
            raise DatasetError(f"{self.folder}: a data set needs at least one episode")
        self._file.close()
        total = len(self._lengths)
        with write_errors(self.folder):
            for shard in range(total):
                sync(self._unfinished(shard))
                self._unfinished(shard).rename(self.folder / shard_name(self._name, shard, total))
        self._features.save(self.folder)
        write_json(self.folder / INFO_NAME, self._info(), indent=2)

    def _unfinished(self, shard: int) -> Path:
        return self.folder / f"{shard:05d}.unfinished"

    def _recover(self) -> None:
        """Takes over the shards of a killed writer, and cuts off its unfinished record."""
        for path in self.folder.glob(f"{self._name}-{SPLIT}.tfrecord-*-of-*"):
            path.rename(self._unfinished(int(path.name.split("-")[-3])))
        while self._unfinished(len(self._lengths)).exists():
            if self._file is not None:
                self._file.close()
            path = self._unfinished(len(self._lengths))
            spans = scan(LocalFile(path), unfinished=True)
            self._file = path.open("r+b", buffering=0)
            self._file.truncate(int(spans[-1].sum()) + FOOTER_BYTES if len(spans) else 0)
            self._file.seek(0, os.SEEK_END)
            self._lengths.append(len(spans))
            self._bytes += int(spans[:, 1].sum())

    def _drop(self) -> None:
        if self._file is not None:
            self._file.close()
        for shard in range(len(self._lengths)):
            self._unfinished(shard).unlink(missing_ok=True)

    def _info(self) -> dict[str, Any]:
        split = {
            "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
            "name": SPLIT,
            "numBytes": str(self._bytes),
            "shardLengths": [str(length) for length in self._lengths],
        }
        return {
            "description": self._description,
            "fileFormat": "tfrecord",
            "name": self._name,
            "splits": [split],
            "version": self._version,
        }


def shard_name(name: str, shard: int, total: int, split: str = SPLIT) -> str:
    """Returns the file name of a shard."""
    return f"{name}-{split}.tfrecord-{shard:05d}-of-{total:05d}"


def write_dataset(
    folder: str | Path,
    name: str,
    embodiment: Embodiment,
    features: EpisodeFeatures,
    records: Iterable[bytes],
    **options: Any,
) -> None:
    """Writes a whole data set of serialised episodes with the embodiment of the robot next to it.

    Args:
        folder: where to write, as in `RLDSWriter`.
        name: of the data set.
        embodiment: of the robot that was recorded.
        features: of the episodes.
        records: results of `encode_episode`, in order.
        options: further arguments of `RLDSWriter`.

    Raises:
        DatasetError: as `RLDSWriter`.
    """
    with RLDSWriter(folder, name, features, **options) as writer:
        write_json(writer.folder / "embodiment.json", embodiment.to_dict(), indent=2)
        for record in records:
            writer.add_record(record)


def _write_all(file: io.FileIO, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def _check_names(where: str, declared: Set[str], values: Mapping[str, Any]) -> None:
    missing, unknown = sorted(declared - values.keys()), sorted(values.keys() - declared)
    if missing or unknown:
        raise FeatureError(
            f"{where} lacks {missing} and has the undeclared {unknown}; give exactly what features declare"
        )


def _encode(path: str, feature: Feature, values: Sequence[Any]) -> ExampleValue:
    """Returns the values of one field over time as an Example stores them."""
    if isinstance(feature, TextFeature):
        return [_as_text(path, value) for value in values]
    if isinstance(feature, ImageFeature):
        return [value if isinstance(value, bytes) else _as_image(path, feature, value) for value in values]
    arrays = [np.asarray(value) for value in values]
    shape = (feature.height, feature.width, 1) if isinstance(feature, DepthFeature) else feature.shape
    dtype = np.dtype(np.float32) if isinstance(feature, DepthFeature) else feature.numpy_dtype
    for index, array in enumerate(arrays):
        if array.shape != shape:
            raise FeatureError(f"{path}: shape {array.shape} at step {index}, declared {shape}")
        if not fits(array, dtype):
            raise FeatureError(f"{path}: {array.dtype} at step {index}, or values out of range, declared {dtype}")
    if isinstance(feature, DepthFeature):
        return [encode_depth(array) for array in arrays]
    if feature.encoding != "none":
        return [encode_tensor(feature, array) for array in arrays]
    stacked: Any = np.stack([array.astype(dtype) for array in arrays])
    numbers: ExampleValue = stacked.astype(np.float32 if feature.is_float else np.int64)
    return numbers


def _encode_all(path: str, item: Item, sequences: Sequence[Any]) -> ExampleValue:
    """Returns the concatenated values of several sequences, as an Example stores them."""
    if not isinstance(item, TensorFeature):
        return _encode(path, item, [value for sequence in sequences for value in sequence])
    empty = np.zeros((0, *item.shape), item.numpy_dtype)
    arrays = [np.asarray(sequence) if len(sequence) else empty for sequence in sequences]
    for index, array in enumerate(arrays):
        if array.shape[1:] != item.shape or not fits(array, item.numpy_dtype):
            raise FeatureError(f"{path}: {array.dtype} {array.shape} at step {index}, declared many {item}")
    numbers: ExampleValue = np.concatenate(arrays).astype(np.float32 if item.is_float else np.int64)
    return numbers


def _as_text(path: str, value: Any) -> bytes:
    if not isinstance(value, str):
        raise FeatureError(f"{path}: {type(value).__name__} given, declared text")
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise FeatureError(f"{path}: text that UTF-8 cannot hold ({error})") from error


def _as_image(path: str, feature: ImageFeature, value: Any) -> bytes:
    shape = np.shape(value)
    if not feature.takes(shape) or value.dtype != np.uint8:
        raise FeatureError(f"{path}: {getattr(value, 'dtype', type(value))} {shape}, declared a uint8 {feature}")
    return encode_image(value, feature.encoding)

"""Export of a data set that tfds reads into TFRecord files of plain fields, readable without TensorFlow.

Request: folder, split, out. Answer: the number of episodes, of those without steps, and the fields left out, with why.
An example that is not an episode becomes an episode of one step.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from embodio.datasets.episodes.feature_json import read_features
from embodio.datasets.episodes.features import (
    STEPS,
    EpisodeFeatures,
    Feature,
    ImageFeature,
    SequenceFeature,
    TensorFeature,
    TextFeature,
)
from embodio.datasets.rlds.writer import RLDSWriter
from embodio.datasets.tfds.process import Progress, serve


@dataclass(frozen=True)
class Fields:
    """The fields to copy.

    Attributes:
        features: of the copy.
        are_episodes: whether the examples have steps.
    """

    features: EpisodeFeatures
    are_episodes: bool

    def episode(self, example: Mapping[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """The steps and the other fields of an example, flat."""
        steps = example[STEPS] if self.are_episodes else [example]
        rest = {name: value for name, value in example.items() if name != STEPS} if self.are_episodes else {}
        return [self._chosen(step, f"{STEPS}/") for step in steps], self._chosen(rest, "")

    def _chosen(self, tree: Mapping[str, Any], prefix: str) -> dict[str, Any]:
        plain = self.features.steps if prefix else self.features.episode
        found: dict[str, Any] = {}
        for path, value in leaves(tree, ""):
            if path in plain:
                found[path] = _value(plain[path], value)
            elif (several := self.features.sequences.get(prefix + path)) is not None:
                found[path] = _values(several.item, value)
        return found


def fields_of(features: Any) -> Fields:
    """The features of a builder that can be copied: those of fixed shape, or with one free leading dimension."""
    with tempfile.TemporaryDirectory() as scratch:
        features.save_config(scratch)
        described = json.loads((Path(scratch) / "features.json").read_text(encoding="utf-8"))
    children = described.get("featuresDict", {}).get("features", {})
    are_episodes = "sequence" in children.get(STEPS, {})
    if not are_episodes:
        described = {"featuresDict": {"features": {STEPS: {"sequence": {"feature": described}}}}}
    found = read_features(described)
    steps, episode = dict(found.steps), dict(found.episode)
    sequences, unread = dict(found.sequences), dict(found.unread)
    for path in found.unread:
        made = _numbers(_at(features, path if are_episodes else path.removeprefix(f"{STEPS}/")))
        if isinstance(made, SequenceFeature):
            sequences[path] = made
        elif made is not None and path.startswith(f"{STEPS}/"):
            steps[path.removeprefix(f"{STEPS}/")] = made
        elif made is not None:
            episode[path] = made
        if made is not None:
            del unread[path]
    copied = EpisodeFeatures(
        {path: _stored(feature) for path, feature in steps.items()},
        {path: _stored(feature) for path, feature in episode.items()},
        {path: SequenceFeature(_stored(several.item)) for path, several in sequences.items()},  # type: ignore[arg-type]
        unread,
    )
    return Fields(copied, are_episodes)


def _stored(feature: Feature) -> Feature:
    """The feature of the copy: lossless for pictures, and with a NumPy dtype for numbers."""
    if isinstance(feature, ImageFeature):
        return replace(feature, encoding="png")
    if isinstance(feature, TensorFeature) and feature.dtype == "bfloat16":
        return replace(feature, dtype="float32")
    return feature


def _at(features: Any, path: str) -> Any:
    for name in path.split("/"):
        inner = getattr(features, "feature", features)  # that of a sequence or data set
        features = inner[name]
    return features


def _numbers(feature: Any) -> TensorFeature | SequenceFeature | None:
    """The arrays that a feature gives, None if their shapes differ in more than the first size, or they are texts."""
    info = feature.get_tensor_info()
    if isinstance(info, dict) or np.dtype(info.np_dtype).kind not in "biuf":
        return None
    dtype, shape = np.dtype(info.np_dtype).name, tuple(info.shape)
    if None not in shape:
        return TensorFeature(dtype, shape, "zlib")
    if None not in shape[1:]:
        return SequenceFeature(TensorFeature(dtype, shape[1:]))
    return None


def leaves(tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Path -> value of nested mappings, each path after `prefix`."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{name}/")
        else:
            yield prefix + name, value


def _value(feature: Feature, value: Any) -> Any:
    if isinstance(feature, TextFeature):
        return _text(value)
    return np.asarray(value, feature.numpy_dtype) if isinstance(feature, TensorFeature) else np.asarray(value)


def _values(feature: Feature, value: Any) -> Any:
    items = [_value(feature, item) for item in (value if isinstance(value, Iterable) else [value])]
    if isinstance(feature, TensorFeature):
        return np.stack(items) if items else np.empty((0, *feature.shape), feature.numpy_dtype)
    return items


def _text(value: Any) -> str:
    value = value.item() if isinstance(value, np.ndarray | np.generic) else value
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def main(request: dict[str, Any], done: Progress) -> dict[str, Any]:
    """Copies; see the module."""
    import tensorflow_datasets as tfds

    folder, out = Path(request["folder"]), Path(request["out"])
    builder = tfds.builder_from_directory(folder)
    fields = fields_of(builder.info.features)
    count = empty = 0
    with RLDSWriter(
        out, builder.name, fields.features, description=f"{folder} through tfds", version=str(builder.version)
    ) as writer:
        if (folder / "embodiment.json").exists():
            shutil.copy(folder / "embodiment.json", out)
        for example in examples(builder, request["split"]):
            steps, rest = fields.episode(example)
            if steps:
                writer.add(steps, rest)
            empty += not steps
            count += 1
            done(count)
    return {"episodes": count - empty, "empty": empty, "left_out": dict(fields.features.unread)}


def examples(builder: Any, split: str) -> Iterator[Mapping[str, Any]]:
    """The examples of a split as NumPy arrays, in the order of the files."""
    import tensorflow_datasets as tfds

    if builder.info.file_format.value == "array_record":
        yield from builder.as_data_source(split=split)
        return
    order = tfds.ReadConfig(interleave_cycle_length=1)
    yield from tfds.as_numpy(builder.as_dataset(split=split, shuffle_files=False, read_config=order))


if __name__ == "__main__":
    serve(main)

"""The parser of tfds' features.json: the fields of an episode and their kinds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from embodio.datasets.episodes.features import (
    FLOATS,
    INTEGERS,
    STEPS,
    DepthFeature,
    EpisodeFeatures,
    Feature,
    ImageFeature,
    SequenceFeature,
    TensorFeature,
    TextFeature,
)
from embodio.datasets.errors import FeatureError

_ENCODINGS: dict[str, Literal["none", "bytes", "zlib"]] = {
    "none": "none",
    "encoding_unspecified": "none",
    "bytes": "bytes",
    "zlib": "zlib",
}
_MALFORMED = (AttributeError, KeyError, TypeError, ValueError)  # the errors of reading JSON of another structure


@dataclass
class _Found:
    """Fields by path within the record."""

    plain: dict[str, Feature] = field(default_factory=dict)
    sequences: dict[str, SequenceFeature] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


def load_features(folder: Path) -> EpisodeFeatures:
    """Reads `folder`/features.json; raises FeatureError if it is missing or is not JSON, and as `read_features`."""
    path = folder / "features.json"
    try:
        return read_features(json.loads(path.read_text()))
    except FileNotFoundError as error:
        raise FeatureError(
            f"{path} is missing. Give the folder that holds dataset_info.json and features.json"
        ) from error
    except ValueError as error:
        raise FeatureError(f"{path} is not JSON: {error}. Fetch it again") from error


def read_features(data: Mapping[str, Any]) -> EpisodeFeatures:
    """Reads the content of features.json; fields of unknown kinds are listed as unread.

    Args:
        data: the parsed JSON of any tfds data set whose examples are RLDS episodes.

    Raises:
        FeatureError: there are no steps, or none of their fields can be read.
    """
    try:
        return _read(data)
    except _MALFORMED as error:
        raise FeatureError(f"features.json is not as tfds writes it ({error!r}). Fetch it again") from error


def _read(data: Mapping[str, Any]) -> EpisodeFeatures:
    children = _children(data, "the data set")
    if STEPS not in children or "sequence" not in children[STEPS]:
        raise FeatureError(f"features.json has no data set of steps called {STEPS!r}, so its examples are not episodes")
    found = _Found()
    for name, child in children.items():
        _flatten(child["sequence"].get("feature", {}) if name == STEPS else child, name, found)
    prefix = STEPS + "/"
    steps = {path.removeprefix(prefix): item for path, item in found.plain.items() if path.startswith(prefix)}
    episode = {path: item for path, item in found.plain.items() if not path.startswith(prefix)}
    if not steps:
        reasons = "; ".join(found.unread.values()) or "there are none"
        raise FeatureError(f"no field of the steps can be read: {reasons}")
    return EpisodeFeatures(steps, episode, found.sequences, found.unread)


def read_feature(data: Mapping[str, Any], path: str) -> Feature:
    """One field that is not a sequence; raises FeatureError if it is of a kind that cannot be read."""
    if "image" in data:
        return _image(data["image"], path)
    if "text" in data or data.get("tensor", {}).get("dtype") in ("string", "object"):
        return TextFeature()
    if "tensor" in data or "classLabel" in data or "boundingBox" in data:
        return _tensor(data.get("tensor") or data.get("boundingBox") or {"dtype": "int64"}, path)
    raise FeatureError(f"{path}: features of the kind {data.get('pythonClassName', '?')} cannot be read")


def _children(data: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    if "featuresDict" not in data:
        raise FeatureError(
            f"{where} is described by {sorted(data)} in features.json, where a FeaturesDict was expected"
        )
    children: Mapping[str, Any] = data["featuresDict"].get("features", {})
    return children


def _flatten(data: Mapping[str, Any], path: str, found: _Found, *, repeated: bool = False) -> None:
    """Adds the leaves below `path`."""
    if "featuresDict" in data or path == STEPS:
        for name, child in _children(data, path).items():
            _flatten(child, f"{path}/{name}", found, repeated=repeated)
        return
    try:
        if "sequence" in data or "video" in data:
            if repeated:
                raise FeatureError(f"{path}: sequences of sequences cannot be read")
            inner = data["sequence"]["feature"] if "sequence" in data else {"image": _frame_of(data["video"])}
            _flatten(inner, path, found, repeated=True)
        elif repeated or _is_text_array(data):
            found.sequences[path] = SequenceFeature(_item(data, path))
        else:
            found.plain[path] = read_feature(data, path)
    except FeatureError as error:
        found.unread[path] = str(error)


def _is_text_array(data: Mapping[str, Any]) -> bool:
    tensor = data.get("tensor", {})
    return tensor.get("dtype") in ("string", "object") and bool(tensor.get("shape", {}).get("dimensions"))


def _item(data: Mapping[str, Any], path: str) -> ImageFeature | TensorFeature | TextFeature:
    item = read_feature(data, path)
    if isinstance(item, DepthFeature) or (isinstance(item, TensorFeature) and item.encoding != "none"):
        raise FeatureError(f"{path}: sequences of packed arrays or depth images cannot be read")
    return item


def _frame_of(video: Mapping[str, Any]) -> dict[str, Any]:
    """The image that a video consists of."""
    return {**video, "shape": {"dimensions": video.get("shape", {}).get("dimensions", [])[1:]}}


def _image(data: Mapping[str, Any], path: str) -> ImageFeature | DepthFeature | TensorFeature:
    height, width, channels = _shape(data, path, fixed=False)
    encoding, dtype = data.get("encodingFormat", "png"), data.get("dtype", "uint8")
    if dtype in ("float32", "uint16") and channels == 1 and encoding in ("", "png"):
        if height is None or width is None:
            raise FeatureError(f"{path}: depth images whose size differs from step to step cannot be read")
        return DepthFeature(height, width) if dtype == "float32" else TensorFeature(dtype, (height, width, 1), "png")
    if dtype != "uint8" or encoding not in ("", "png", "jpeg") or channels not in (None, 1, 3):
        raise FeatureError(
            f"{path}: only uint8 images of 1 or 3 channels stored as jpeg or png, and float32 and uint16 ones of one "
            "channel, can be read"
        )
    return ImageFeature(height, width, channels or 3, "jpeg" if encoding == "jpeg" else "png")


def _tensor(data: Mapping[str, Any], path: str) -> TensorFeature:
    dtype = data.get("dtype", "")
    if dtype not in FLOATS + INTEGERS:
        raise FeatureError(f"{path}: arrays of {dtype or 'no dtype'} cannot be read")
    name = str(data.get("encoding", "none")).lower()
    encoding = _ENCODINGS.get(name)
    if encoding is None or (encoding != "none" and dtype == "bfloat16"):
        raise FeatureError(f"{path}: arrays with encoding {name!r} cannot be read; only plain ones, bytes and zlib can")
    return TensorFeature(dtype, tuple(size for size in _shape(data, path, fixed=True) if size is not None), encoding)


def _shape(data: Mapping[str, Any], path: str, *, fixed: bool) -> list[int | None]:
    sizes = [int(size) for size in data.get("shape", {}).get("dimensions", [])]
    if fixed and any(size < 0 for size in sizes):
        raise FeatureError(f"{path}: an array whose size differs from step to step cannot be read")
    return [None if size < 0 else size for size in sizes]

"""Features in one line of text each: "jpeg 256x320x3", "float32 7", "float64 7 zlib", "depth 480x640", "text"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from embodio.datasets.episodes.feature_json import read_feature
from embodio.datasets.episodes.features import (
    DepthFeature,
    EpisodeFeatures,
    Feature,
    ImageFeature,
    TensorFeature,
    TextFeature,
)
from embodio.datasets.errors import FeatureError

_LINE = re.compile(
    r"^(?P<kind>[a-z]+\d*)(?: (?P<shape>(?:\d+|any)(?:x(?:\d+|any))*))?(?: (?P<encoding>bytes|zlib|png))?$"
)


def parse_feature(text: str) -> Feature:
    """Reads one line; raises FeatureError if it is not a feature."""
    found = _LINE.match(text)
    if found is None:
        raise FeatureError(
            f"{text!r} is not a feature. Write text, float32 7, float64 7 zlib, jpeg 128x128x3, depth 84x84"
        )
    kind = found["kind"]
    sizes = [None if size == "any" else int(size) for size in (found["shape"] or "").split("x") if size]
    if kind == "text" and not sizes:
        return TextFeature()
    if kind in ("jpeg", "png") and len(sizes) == 3 and sizes[2] is not None:
        return ImageFeature(sizes[0], sizes[1], sizes[2], "jpeg" if kind == "jpeg" else "png")
    fixed = tuple(size for size in sizes if size is not None)
    if kind == "depth" and len(fixed) == 2:
        return DepthFeature(*fixed)
    if found["encoding"] == "png":
        feature: Feature = TensorFeature(kind, fixed, "png")
        if kind != "uint16" or len(fixed) != 3:
            raise FeatureError(f"{text!r}: only uint16 images are arrays in PNG")
    else:
        shape = {"dimensions": [str(size) for size in fixed]}
        feature = read_feature(
            {"tensor": {"dtype": kind, "shape": shape, "encoding": found["encoding"] or "none"}}, text
        )
    if len(fixed) != len(sizes):
        raise FeatureError(f"{text!r}: only images may have any size")
    return feature


def format_feature(feature: Feature) -> str:
    """The line of a feature; inverse of `parse_feature`."""
    if isinstance(feature, TextFeature):
        return "text"
    if isinstance(feature, DepthFeature):
        return f"depth {feature.height}x{feature.width}"
    if isinstance(feature, ImageFeature):
        sizes = ("any" if size is None else str(size) for size in (feature.height, feature.width, feature.channels))
        return f"{feature.encoding} {'x'.join(sizes)}"
    words = [feature.dtype, "x".join(str(size) for size in feature.shape)]
    words.append("" if feature.encoding == "none" else feature.encoding)
    return " ".join(word for word in words if word)


def parse_features(data: object) -> EpisodeFeatures:
    """Reads {"steps": {path: line}, "episode": {path: line}}; raises FeatureError."""
    if not isinstance(data, Mapping) or not set(data) <= {"steps", "episode"}:
        raise FeatureError("features: expected the keys `steps` and `episode`, with one line for each field")
    both: list[dict[str, Feature]] = []
    for key in ("steps", "episode"):
        fields: Any = data.get(key) or {}
        if not isinstance(fields, Mapping):
            raise FeatureError(f"features.{key}: expected one line for each field")
        both.append({str(path): parse_feature(str(line)) for path, line in fields.items()})
    return EpisodeFeatures(both[0], both[1])


def format_features(features: EpisodeFeatures) -> dict[str, dict[str, str]]:
    """Inverse of `parse_features`."""
    return {
        "steps": {path: format_feature(feature) for path, feature in sorted(features.steps.items())},
        "episode": {path: format_feature(feature) for path, feature in sorted(features.episode.items())},
    }

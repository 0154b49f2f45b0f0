"""The features of an RLDS episode: what every step holds and what the whole episode holds, as in tfds' features.json.

Features are kept flat, with a slash between the levels ("observation/wrist"), as they are in the records themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from embodio.datasets.errors import FeatureError
from embodio.envs.embodiment import Embodiment

STEPS = "steps"
METADATA = "episode_metadata"
_TFDS = "tensorflow_datasets.core.features"
_FLOATS = ("float16", "float32", "float64", "bfloat16")
_ENCODINGS: dict[str, Literal["none", "bytes", "zlib"]] = {
    "none": "none",
    "encoding_unspecified": "none",
    "bytes": "bytes",
    "zlib": "zlib",
}
_INTEGERS = ("bool", "uint8", "uint16", "uint32", "int8", "int16", "int32", "int64")


@dataclass(frozen=True)
class ImageFeature:
    """A uint8 image [height, width, channels], stored compressed.

    Attributes:
        height: rows, or None where images differ.
        width: columns, or None where images differ.
        channels: 1 or 3.
        encoding: "jpeg" or "png"; what new records are written with (both are always read).
    """

    height: int | None
    width: int | None
    channels: int = 3
    encoding: Literal["jpeg", "png"] = "jpeg"

    def to_json(self) -> dict[str, Any]:
        """Returns the tfds description."""
        dimensions = [str(-1 if size is None else size) for size in (self.height, self.width, self.channels)]
        image = {"dtype": "uint8", "encodingFormat": self.encoding, "shape": {"dimensions": dimensions}}
        return {"pythonClassName": f"{_TFDS}.image_feature.Image", "image": image}


@dataclass(frozen=True)
class TensorFeature:
    """An array of fixed shape; a single number has the shape ().

    Attributes:
        dtype: name of a numpy dtype: "float32", "int64", "bool", ...
        shape: sizes.
        encoding: "none" for plain numbers, "bytes" or "zlib" for the (compressed) memory of the array, row by row.
    """

    dtype: str
    shape: tuple[int, ...] = ()
    encoding: Literal["none", "bytes", "zlib"] = "none"

    @property
    def is_float(self) -> bool:
        """Whether records store the values as float32 (else as int64)."""
        return self.dtype in _FLOATS

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        """The dtype of decoded arrays; bfloat16, which NumPy does not have, is read as float32."""
        return np.dtype("float32" if self.dtype == "bfloat16" else self.dtype)

    def to_json(self) -> dict[str, Any]:
        """Returns the tfds description."""
        shape = {"dimensions": [str(size) for size in self.shape]} if self.shape else {}
        name = "tensor_feature.Tensor" if self.shape else "scalar.Scalar"
        return {
            "pythonClassName": f"{_TFDS}.{name}",
            "tensor": {"dtype": self.dtype, "encoding": self.encoding, "shape": shape},
        }


@dataclass(frozen=True)
class DepthFeature:
    """A float32 image [height, width, 1], stored as the four bytes of each number in a PNG.

    Attributes:
        height: rows.
        width: columns.
    """

    height: int
    width: int

    def to_json(self) -> dict[str, Any]:
        """Returns the tfds description."""
        dimensions = [str(self.height), str(self.width), "1"]
        image = {"dtype": "float32", "encodingFormat": "png", "shape": {"dimensions": dimensions}}
        return {"pythonClassName": f"{_TFDS}.image_feature.Image", "image": image}


@dataclass(frozen=True)
class TextFeature:
    """A string, stored as UTF-8."""

    def to_json(self) -> dict[str, Any]:
        """Returns the tfds description."""
        return {"pythonClassName": f"{_TFDS}.text_feature.Text", "text": {}}


Feature = ImageFeature | DepthFeature | TensorFeature | TextFeature


@dataclass(frozen=True)
class EpisodeFeatures:
    """All features of an episode.

    Attributes:
        steps: path within a step ("action", "observation/wrist") -> feature.
        episode: path within the episode ("episode_metadata/seed") -> feature.
    """

    steps: Mapping[str, Feature]
    episode: Mapping[str, Feature]

    def to_json(self) -> dict[str, Any]:
        """Returns the content of features.json."""
        tree: dict[str, Any] = _nest(self.episode)
        tree[STEPS] = self.steps
        return _dict_to_json(tree)

    def save(self, folder: Path) -> None:
        """Writes `folder`/features.json."""
        (folder / "features.json").write_text(json.dumps(self.to_json(), indent=4, sort_keys=True) + "\n")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EpisodeFeatures:
        """Reads the content of features.json.

        Args:
            data: the parsed JSON of any tfds data set whose examples are RLDS episodes.

        Raises:
            FeatureError: there are no steps, or a feature is of a kind that this reader does not know.
        """
        children = _children(data, "the data set")
        if STEPS not in children or "sequence" not in children[STEPS]:
            raise FeatureError(
                f"features.json has no data set of steps called {STEPS!r}, so its examples are not episodes"
            )
        steps: dict[str, Feature] = {}
        episode: dict[str, Feature] = {}
        _flatten(children[STEPS]["sequence"].get("feature", {}), "", steps)
        for name, child in children.items():
            if name != STEPS:
                _flatten(child, name, episode)
        return cls(steps, episode)

    @classmethod
    def load(cls, folder: Path) -> EpisodeFeatures:
        """Reads `folder`/features.json; raises FeatureError where it is missing or is not JSON, and as `from_json`."""
        path = folder / "features.json"
        try:
            return cls.from_json(json.loads(path.read_text()))
        except FileNotFoundError as error:
            raise FeatureError(
                f"{path} is missing. Give the folder that holds dataset_info.json and features.json"
            ) from error
        except json.JSONDecodeError as error:
            raise FeatureError(f"{path} is not JSON: {error}. Fetch it again") from error


def features_of(embodiment: Embodiment) -> EpisodeFeatures:
    """Returns the features of demonstrations recorded on a robot.

    `action` is what was executed (it may carry noise), `expert_action` the clean label. Sound is not recorded.

    Args:
        embodiment: decides the cameras and the sizes of state and action.
    """
    vector = TensorFeature("float32", (len(embodiment.action.dimensions),))
    number, flag = TensorFeature("float32"), TensorFeature("bool")
    steps: dict[str, Feature] = {
        f"observation/{camera.name}": ImageFeature(camera.height, camera.width, camera.channels)
        for camera in embodiment.cameras
    }
    if embodiment.state:
        steps["observation/state"] = TensorFeature("float32", (len(embodiment.state),))
    steps |= {"action": vector, "expert_action": vector, "reward": number, "discount": number}
    steps |= {"is_first": flag, "is_last": flag, "is_terminal": flag, "language_instruction": TextFeature()}
    episode: dict[str, Feature] = {
        f"{METADATA}/seed": TensorFeature("int64"),
        f"{METADATA}/success": flag,
        f"{METADATA}/environment": TextFeature(),
        f"{METADATA}/expert": TextFeature(),
        f"{METADATA}/noise": number,
    }
    return EpisodeFeatures(steps, episode)


def _nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Turns {"a/b": x} into {"a": {"b": x}}."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *parents, name = path.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[name] = value
    return tree


def _dict_to_json(tree: Mapping[str, Any]) -> dict[str, Any]:
    features: dict[str, Any] = {}
    for name, child in tree.items():
        if name == STEPS:
            steps = _dict_to_json(_nest(child))
            features[name] = {
                "pythonClassName": f"{_TFDS}.dataset_feature.Dataset",
                "sequence": {"feature": steps, "length": "-1"},
            }
        else:
            features[name] = _dict_to_json(child) if isinstance(child, dict) else child.to_json()
    return {"pythonClassName": f"{_TFDS}.features_dict.FeaturesDict", "featuresDict": {"features": features}}


def _children(data: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    if "featuresDict" not in data:
        raise FeatureError(
            f"{where} is described by {sorted(data)} in features.json, where a FeaturesDict was expected"
        )
    children: Mapping[str, Any] = data["featuresDict"].get("features", {})
    return children


def _flatten(data: Mapping[str, Any], path: str, into: dict[str, Feature]) -> None:
    """Adds the leaves below `path` to `into`."""
    if "featuresDict" in data or not path:
        for name, child in _children(data, path or STEPS).items():
            _flatten(child, f"{path}/{name}" if path else name, into)
    elif "image" in data:
        into[path] = _image(data["image"], path)
    elif "text" in data or data.get("tensor", {}).get("dtype") in ("string", "object"):
        into[path] = TextFeature()
    elif "tensor" in data or "classLabel" in data:
        into[path] = _tensor(data.get("tensor", {"dtype": "int64"}), path)
    else:
        raise FeatureError(f"{path}: features of the kind {data.get('pythonClassName', '?')} cannot be read")


def _image(data: Mapping[str, Any], path: str) -> ImageFeature | DepthFeature:
    height, width, channels = _shape(data, path, fixed=False)
    encoding, dtype = data.get("encodingFormat", "png"), data.get("dtype", "uint8")
    if dtype == "float32" and channels == 1 and encoding in ("", "png"):
        if height is None or width is None:
            raise FeatureError(f"{path}: depth images whose size differs from step to step cannot be read")
        return DepthFeature(height, width)
    if dtype != "uint8" or encoding not in ("", "png", "jpeg"):
        raise FeatureError(
            f"{path}: only uint8 images stored as jpeg or png, and float32 ones of one channel, can be read"
        )
    return ImageFeature(height, width, channels or 3, "jpeg" if encoding == "jpeg" else "png")


def _tensor(data: Mapping[str, Any], path: str) -> TensorFeature:
    dtype = data.get("dtype", "")
    if dtype not in _FLOATS + _INTEGERS:
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

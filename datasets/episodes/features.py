"""The features of an RLDS episode: the fields of each step and of the whole episode, as in tfds' features.json.

Features are kept flat, with a slash between the levels ("observation/wrist"), as they are in the records themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import FeatureError
from embodio.envs.embodiment import Embodiment
from embodio.model.writing import write_text

STEPS = "steps"
METADATA = "episode_metadata"
INSTRUCTION = "language_instruction"
MICROPHONE = f"{STEPS}/observation/microphone"
MICROPHONE_RATE = f"{METADATA}/microphone_rate"
_TFDS = "tensorflow_datasets.core.features"
FLOATS = ("float16", "float32", "float64", "bfloat16")
INTEGERS = ("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")


@dataclass(frozen=True)
class ImageFeature:
    """A uint8 image [height, width, channels], stored compressed.

    Attributes:
        height: rows; None if images differ.
        width: columns; None if images differ.
        channels: 1 or 3.
        encoding: "jpeg" or "png", of new records (both can always be read).
    """

    height: int | None
    width: int | None
    channels: int = 3
    encoding: Literal["jpeg", "png"] = "jpeg"

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape is such an image."""
        declared = (self.height, self.width, self.channels)
        return len(shape) == 3 and all(want in (None, have) for want, have in zip(declared, shape, strict=True))

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
        encoding: "none" for plain numbers, "bytes" or "zlib" for the (compressed) memory of the array, row by row,
            "png" for uint16 images [height, width, 1] such as depth in millimetres.
    """

    dtype: str
    shape: tuple[int, ...] = ()
    encoding: Literal["none", "bytes", "zlib", "png"] = "none"

    @property
    def is_float(self) -> bool:
        """Whether records store the values as float32 (else as int64)."""
        return self.dtype in FLOATS

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        """The dtype of decoded arrays; bfloat16, which NumPy does not have, is read as float32."""
        return np.dtype("float32" if self.dtype == "bfloat16" else self.dtype)

    def to_json(self) -> dict[str, Any]:
        """Returns the tfds description."""
        shape = {"dimensions": [str(size) for size in self.shape]} if self.shape else {}
        if self.encoding == "png":
            image = {"dtype": self.dtype, "encodingFormat": "png", "shape": shape}
            return {"pythonClassName": f"{_TFDS}.image_feature.Image", "image": image}
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
class SequenceFeature:
    """Any number of values at each step, or for the whole episode; read with `Episode.sequence`.

    Attributes:
        item: one value.
    """

    item: ImageFeature | TensorFeature | TextFeature

    def to_json(self) -> dict[str, Any]:
        """Returns the tfds description; images of different sizes are a data set for it, not an array."""
        unsized = isinstance(self.item, ImageFeature) and None in (self.item.height, self.item.width)
        kind = "dataset_feature.Dataset" if unsized else "sequence_feature.Sequence"
        return {"pythonClassName": f"{_TFDS}.{kind}", "sequence": {"feature": self.item.to_json(), "length": "-1"}}


@dataclass(frozen=True)
class EpisodeFeatures:
    """All features of an episode.

    Attributes:
        steps: path within a step ("action", "observation/wrist") -> feature.
        episode: path within the episode ("episode_metadata/seed") -> feature.
        sequences: path within the episode ("steps/notes") -> its feature.
        unread: path within the episode -> why it cannot be read.
    """

    steps: Mapping[str, Feature]
    episode: Mapping[str, Feature]
    sequences: Mapping[str, SequenceFeature] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Returns the content of features.json, without what is unread."""
        steps, episode = dict[str, Any](self.steps), dict[str, Any](self.episode)
        for path, feature in self.sequences.items():
            of_steps = path.startswith(f"{STEPS}/")
            (steps if of_steps else episode)[path.removeprefix(f"{STEPS}/")] = feature
        return _dict_to_json({**_nest(episode), STEPS: steps})

    def save(self, folder: Path) -> None:
        """Writes `folder`/features.json."""
        write_text(folder / "features.json", json.dumps(self.to_json(), indent=4, sort_keys=True) + "\n")


def features_of(embodiment: Embodiment) -> EpisodeFeatures:
    """Returns the features of demonstrations recorded on a robot.

    `action` is what was executed (it may carry noise), `expert_action` the clean label. A microphone is a sequence
    at each step: float32 samples [n] (or [n, channels]) of any number; the rate is in the metadata.

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
    steps |= {"is_first": flag, "is_last": flag, "is_terminal": flag, INSTRUCTION: TextFeature()}
    episode: dict[str, Feature] = {
        f"{METADATA}/seed": TensorFeature("int64"),
        f"{METADATA}/success": flag,
        f"{METADATA}/environment": TextFeature(),
        f"{METADATA}/expert": TextFeature(),
        f"{METADATA}/noise": number,
    }
    sequences: dict[str, SequenceFeature] = {}
    if embodiment.microphone is not None:
        channels = embodiment.microphone.channels
        sequences[MICROPHONE] = SequenceFeature(TensorFeature("float32", (channels,) if channels > 1 else ()))
        episode[MICROPHONE_RATE] = TensorFeature("int64")
    return EpisodeFeatures(steps, episode, sequences)


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


def fits(array: npt.NDArray[Any], dtype: np.dtype[Any]) -> bool:
    """Whether numbers keep their values, except for rounding: whole ones are in range, finite ones stay finite."""
    if dtype.kind in "iu" and array.dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return not array.size or bool(limits.min <= int(array.min()) and int(array.max()) <= limits.max)
    if dtype.kind == "b" and array.dtype.kind in "iu":
        return bool(((array == 0) | (array == 1)).all())
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        return False
    if array.dtype.kind != "f" or array.dtype.itemsize <= dtype.itemsize:
        return True
    with np.errstate(over="ignore"):
        return np.array_equal(np.isfinite(array), np.isfinite(array.astype(dtype)))


def as_declared(name: str, stored: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Numbers as a record holds them, float32 or int64, in the declared type; raises FeatureError as `fits` says."""
    if dtype != np.uint64 and not fits(stored, dtype):  # whose upper half is stored as negative numbers
        raise FeatureError(f"{name}: values that are not {dtype}. Its features.json does not belong to it")
    return stored.astype(dtype)

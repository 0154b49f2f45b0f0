"""One recorded episode: numbers as arrays over time, images left compressed until a frame is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.codecs.image_codec import decode_depth, decode_image, decode_image_into
from embodio.datasets.episodes.features import (
    METADATA,
    STEPS,
    DepthFeature,
    EpisodeFeatures,
    ImageFeature,
    TensorFeature,
    as_declared,
)
from embodio.datasets.episodes.fields import EpisodeFields
from embodio.datasets.errors import FeatureError
from embodio.datasets.rlds.example_proto import DecodedExample, ExampleValues
from embodio.datasets.rlds.pieces.pieces import PiecedExample
from embodio.datasets.rlds.sequences import StoredSequence
from embodio.datasets.rlds.tensor_codec import decode_tensor


class Episode(EpisodeFields):
    """The steps and the metadata of one episode (legend: T steps).

    Fields are named by their path ("action", "observation/wrist"); the part "observation/" may be left out.

    Attributes:
        features: what the episode holds.
    """

    def __init__(self, data: bytes | ExampleValues, features: EpisodeFeatures) -> None:
        """Takes a record as stored in the file, or the values of one.

        Args:
            data: a serialised `tf.train.Example`, or an object with its values.
            features: its description.

        Raises:
            FeatureError: the bytes are not an Example, or it holds no steps.
        """
        self.features = features
        self._example: ExampleValues = DecodedExample(data) if isinstance(data, bytes) else data
        self._arrays: dict[str, npt.NDArray[Any]] = {}
        self._blobs: dict[str, Sequence[bytes]] = {}
        self._sequences: dict[str, StoredSequence] = {}
        self._frames: dict[str, Sequence[bytes]] = {}  # by the path that was requested
        self._length = self._count_steps()

    def __len__(self) -> int:
        """Returns the number of steps T."""
        return self._length

    @property
    def in_pieces(self) -> bool:
        """Whether images and texts stay in the file until they are requested, and are not held afterwards."""
        return isinstance(self._example, PiecedExample)

    @property
    def metadata(self) -> dict[str, Any]:
        """The fields of "episode_metadata": numbers, bools, strings or arrays by name."""
        prefix = METADATA + "/"
        names = [path.removeprefix(prefix) for path in self.features.episode if path.startswith(prefix)]
        return {name: self._episode_value(prefix + name) for name in names}

    def array(self, path: str) -> npt.NDArray[Any]:
        """Returns a numeric field over all steps; converted once, then kept.

        Args:
            path: e.g. "action" or "state".

        Returns:
            [T, *shape], in the declared dtype, read-only.

        Raises:
            FeatureError: there is no such field, it is not numeric, or the record does not hold T values of its shape.
        """
        known = self._arrays.get(path)
        if known is not None:
            return known
        path, feature = self._find_numbers(path)
        if path not in self._arrays:
            array = self._numbers(f"{STEPS}/{path}", feature, self._length)
            array.setflags(write=False)
            self._arrays[path] = array
        return self._arrays[path]

    def text(self, path: str, step: int) -> str:
        """Returns a text field at one step; raises FeatureError if there is none and IndexError outside [0, T)."""
        path = self._find_text(path)
        return _as_text(path, self._blob(path, step))

    def encoded_frame(self, path: str, step: int) -> bytes:
        """Returns the compressed image of one step; errors as in `frame`."""
        frames = self._frames.get(path)
        if frames is None:
            frames = self._frames[path] = self._all_blobs(self._find_image(path)[0])
        if not 0 <= step < self._length:
            raise IndexError(f"step {step} of an episode of {self._length} steps")
        return frames[step]

    def frame(self, path: str, step: int) -> npt.NDArray[np.uint8]:
        """Returns the image of one step, decompressed.

        Args:
            path: name of a camera.
            step: from 0 to T - 1.

        Returns:
            uint8 [H, W, C], upright, RGB.

        Raises:
            FeatureError: there is no such camera or its bytes cannot be decoded.
            IndexError: there is no such step.
        """
        path, feature = self._find_image(path)
        pixels = decode_image(self.encoded_frame(path, step), feature.channels)
        if not feature.takes(pixels.shape):
            raise FeatureError(f"{path}: an image of shape {pixels.shape} at step {step}, declared {feature}")
        return pixels

    def frame_into(self, path: str, step: int, out: npt.NDArray[np.uint8]) -> None:
        """As `frame`, put into an array [H, W, C]; also raises FeatureError if the image has another shape."""
        decode_image_into(self.encoded_frame(path, step), out)

    def value(self, path: str) -> Any:
        """Returns a field of the whole episode ("episode_metadata/seed"); raises FeatureError if there is none."""
        if path not in self.features.episode:
            known = ", ".join(sorted(self.features.episode)) or "none"
            raise FeatureError(f"the episode has no field {path!r}; it has {known}")
        return self._episode_value(path)

    def sequence(self, path: str, step: int | None = None) -> npt.NDArray[Any] | tuple[Any, ...]:
        """Returns the values of a sequence at a step, or of the episode.

        Args:
            path: within the episode, one of `features.sequences` ("steps/notes", "episode_metadata/views").
            step: from 0 to T - 1, for a field of the steps.

        Returns:
            Numbers as an array [n, *shape], read-only, texts and images as a tuple.

        Raises:
            FeatureError: there is no such field, or the record does not hold it whole.
            IndexError: there is no such step.
        """
        if path not in self.features.sequences:
            known = ", ".join(sorted(self.features.sequences)) or "none"
            raise FeatureError(f"the episode has no sequence {path!r}; it has {known}")
        of_steps = path.startswith(f"{STEPS}/")
        if of_steps and (step is None or not 0 <= step < self._length):
            raise IndexError(f"step {step} of an episode of {self._length} steps")
        found = self._sequences.get(path)
        if found is None:
            item, steps = self.features.sequences[path].item, self._length if of_steps else 1
            found = self._sequences[path] = StoredSequence.find(self._example, path, item, steps)
        return found.at((step or 0) if of_steps else 0)

    def steps(self) -> Iterator[dict[str, Any]]:
        """Yields each step as nested dicts of arrays, images and strings, in tfds' structure."""
        numeric = (TensorFeature, DepthFeature)
        columns = {path: self.array(path) for path, f in self.features.steps.items() if isinstance(f, numeric)}
        repeated = [path for path in self.features.sequences if path.startswith(f"{STEPS}/")]
        for step in range(self._length):
            values: dict[str, Any] = {}
            for path, feature in self.features.steps.items():
                if path in columns:
                    _put(values, path, columns[path][step])
                else:
                    is_image = isinstance(feature, ImageFeature)
                    _put(values, path, self.frame(path, step) if is_image else self.text(path, step))
            for path in repeated:
                _put(values, path.removeprefix(f"{STEPS}/"), self.sequence(path, step))
            yield values

    def _blob(self, path: str, step: int) -> bytes:
        self._require_step(step)
        blobs = self._blobs.get(path)
        if blobs is None:
            blobs = self._blobs[path] = self._all_blobs(path)
        return blobs[step]

    def _all_blobs(self, path: str) -> Sequence[bytes]:
        """The byte strings of all steps."""
        blobs = self._example.blobs(f"{STEPS}/{path}")
        if len(blobs) != self._length:
            raise FeatureError(
                f"{path}: {len(blobs)} values in an episode of {self._length} steps. Fetch the data set again"
            )
        return blobs

    def _numbers(self, name: str, feature: TensorFeature | DepthFeature, count: int) -> npt.NDArray[Any]:
        """Returns `count` arrays of one field, stacked."""
        if isinstance(feature, TensorFeature) and feature.encoding == "none":
            return self._tensor(name, feature, (count, *feature.shape))
        blobs = self._example.blobs(name)
        if len(blobs) != count:
            raise FeatureError(f"{name}: {len(blobs)} values where {count} were declared. Fetch the data set again")
        if isinstance(feature, TensorFeature):
            return np.stack([decode_tensor(name, feature, blob) for blob in blobs])
        return np.stack([decode_depth(blob, feature.height, feature.width) for blob in blobs])

    def _tensor(self, name: str, feature: TensorFeature, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        stored = self._example.floats(name) if feature.is_float else self._example.integers(name)
        if stored.size != np.prod(shape, dtype=int):
            raise FeatureError(f"{name}: {stored.size} numbers where {shape} were declared. Fetch the data set again")
        values: npt.NDArray[Any] = as_declared(name, stored, feature.numpy_dtype).reshape(shape)
        return values

    def _episode_value(self, path: str) -> Any:
        feature = self.features.episode[path]
        if isinstance(feature, TensorFeature | DepthFeature):
            value = self._numbers(path, feature, 1)[0]
            return value if value.shape else value.item()
        blobs = self._example.blobs(path)
        if len(blobs) != 1:
            raise FeatureError(f"{path}: {len(blobs)} values where one was declared. Fetch the data set again")
        return (
            decode_image(blobs[0], feature.channels) if isinstance(feature, ImageFeature) else _as_text(path, blobs[0])
        )

    def _count_steps(self) -> int:
        """T, found from the cheapest field: a single number, else a blob, else an array."""
        for path, feature in self.features.steps.items():
            name = f"{STEPS}/{path}"
            if not isinstance(feature, TensorFeature) or feature.encoding != "none":
                return self._example.count(name, "bytes_list")
            size = int(np.prod(feature.shape))
            if size:
                return self._example.count(name, "float_list" if feature.is_float else "int64_list") // size
        raise FeatureError("the steps of this data set have no fields. Check its features.json")


def _put(tree: dict[str, Any], path: str, value: Any) -> None:
    """Sets a value in nested dicts."""
    *parents, name = path.split("/")
    for parent in parents:
        tree = tree.setdefault(parent, {})
    tree[name] = value


def _as_text(path: str, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FeatureError(
            f"{path}: {len(data)} bytes that are not UTF-8 text ({error}). Fetch the data again"
        ) from error

"""ColumnEpisode: an episode made of columns, as layouts other than RLDS provide them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.episodes.features import (
    METADATA,
    STEPS,
    DepthFeature,
    EpisodeFeatures,
    TensorFeature,
    fits,
)
from embodio.datasets.episodes.fields import EpisodeFields
from embodio.datasets.errors import FeatureError

Column = Callable[[], npt.NDArray[Any]]
Frames = Callable[[int], npt.NDArray[np.uint8]]
Texts = Callable[[int], str]
Sequences = Callable[[int | None], tuple[Any, ...]]


class Lazy(Mapping[str, Any]):
    """Named values that are read on demand."""

    def __init__(self, names: Iterable[str], read: Callable[[str], Any]) -> None:
        """Takes the names and the function that reads a value."""
        self._names, self._read = tuple(names), read

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        return self._read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class ColumnEpisode(EpisodeFields):
    """Steps whose fields are functions, called on demand (legend: T steps).

    Attributes:
        features: what the episode holds; every step feature has one of the functions.
    """

    def __init__(
        self,
        features: EpisodeFeatures,
        length: int,
        *,
        columns: Mapping[str, Column],
        frames: Mapping[str, Frames],
        texts: Mapping[str, Texts],
        episode: Mapping[str, Any],
        sequences: Mapping[str, Sequences] | None = None,
        wordings: Callable[[int], tuple[str, ...]] | None = None,
    ) -> None:
        """Takes the functions.

        Args:
            features: of the episode.
            length: T.
            columns: path -> function that gives a numeric field, [T, *shape].
            frames: path -> function that gives the image of one step, uint8 [H, W, C].
            texts: path -> function that gives the text of one step.
            episode: path -> value of the whole episode.
            sequences: path within the episode -> function that gives all values of one step, or of the episode.
            wordings: gives the instruction of one step in all its paraphrases; None if there is only one.
        """
        self.features = features
        self._length = length
        self._columns, self._frames, self._texts, self._episode = columns, frames, texts, episode
        self._sequences, self._wordings = sequences or {}, wordings
        self._arrays: dict[str, npt.NDArray[Any]] = {}

    def __len__(self) -> int:
        """Returns the number of steps T."""
        return self._length

    @property
    def metadata(self) -> dict[str, Any]:
        """Values of the whole episode, by name."""
        prefix = METADATA + "/"
        return {
            path.removeprefix(prefix): self._episode[path] for path in self.features.episode if path.startswith(prefix)
        }

    def value(self, path: str) -> Any:
        """Returns a field of the whole episode ("episode_metadata/seed"); raises FeatureError if there is none."""
        if path not in self.features.episode:
            raise FeatureError(
                f"the episode has no field {path!r}; it has {', '.join(sorted(self._episode)) or 'none'}"
            )
        return self._episode[path]

    def array(self, path: str) -> npt.NDArray[Any]:
        """Returns a numeric field over all steps, [T, *shape], read-only.

        Raises:
            FeatureError: there is no such field, it is not numeric, or it does not hold T values of its shape.
        """
        path, feature = self._find_numbers(path)
        if path not in self._arrays:
            values = self._columns[path]() if self._length else _nothing(feature)
            self._arrays[path] = self._checked(path, feature, values)
        return self._arrays[path]

    def text(self, path: str, step: int) -> str:
        """Returns a text field at one step; raises FeatureError if there is none and IndexError outside [0, T)."""
        path = self._find_text(path)
        self._require_step(step)
        return self._texts[path](step)

    def frame(self, path: str, step: int) -> npt.NDArray[np.uint8]:
        """Returns the image of one step, uint8 [H, W, C]; raises FeatureError and IndexError as `text`."""
        path, feature = self._find_image(path)
        self._require_step(step)
        pixels = self._frames[path](step)
        if not feature.takes(pixels.shape):
            raise FeatureError(f"{path}: an image of shape {pixels.shape} at step {step}, declared {feature}")
        return pixels

    def sequence(self, path: str, step: int | None = None) -> tuple[Any, ...]:
        """Returns the values of a sequence at a step, or of the episode.

        Raises:
            FeatureError: there is no such field.
            IndexError: there is no such step.
        """
        if path not in self._sequences:
            known = ", ".join(sorted(self._sequences)) or "none"
            raise FeatureError(f"the episode has no sequence {path!r}; it has {known}")
        if path.startswith(f"{STEPS}/"):
            self._require_step(-1 if step is None else step)
        found: tuple[Any, ...] = self._sequences[path](step)
        return found

    def wordings(self, step: int) -> tuple[str, ...]:
        """The instruction of one step in all its paraphrases, see `EpisodeFields.wordings`."""
        if self._wordings is None:
            return super().wordings(step)
        self._require_step(step)
        return self._wordings(step)

    def _checked(self, path: str, feature: TensorFeature | DepthFeature, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        is_depth = isinstance(feature, DepthFeature)
        dtype = np.dtype(np.float32) if is_depth else feature.numpy_dtype  # type: ignore[union-attr]
        shape = (feature.height, feature.width, 1) if isinstance(feature, DepthFeature) else feature.shape
        if values.shape != (self._length, *shape):
            raise FeatureError(f"{path}: shape {values.shape}, where {(self._length, *shape)} was declared")
        if not fits(values, dtype):
            raise FeatureError(f"{path}: {values.dtype}, or values out of range, where {dtype} was declared")
        array = np.array(values, dtype)
        array.setflags(write=False)
        return array


def _nothing(feature: TensorFeature | DepthFeature) -> npt.NDArray[Any]:
    """The numbers of an episode without steps, [0, *shape]."""
    if isinstance(feature, DepthFeature):
        return np.zeros((0, feature.height, feature.width, 1), np.float32)
    return np.zeros((0, *feature.shape), feature.numpy_dtype)

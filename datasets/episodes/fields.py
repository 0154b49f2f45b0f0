"""EpisodeFields: naming and lookup of an episode's fields, whatever the file format."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy.typing as npt

from embodio.datasets.episodes.features import (
    INSTRUCTION,
    STEPS,
    DepthFeature,
    EpisodeFeatures,
    Feature,
    ImageFeature,
    TensorFeature,
    TextFeature,
)
from embodio.datasets.errors import FeatureError

_OBSERVATION = "observation/"


def as_rows(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Values of T steps, [T, *shape], as rows [T, D]; T may be 0."""
    return values.reshape(len(values), math.prod(values.shape[1:]))


class EpisodeFields(ABC):
    """The common part of all kinds of episodes; the prefix "observation/" of a path may be left out.

    Attributes:
        features: what the episode holds.
    """

    features: EpisodeFeatures

    @property
    def instruction(self) -> str:
        """The language instruction of the first step."""
        return self.text(INSTRUCTION, 0)

    @property
    def observation_keys(self) -> tuple[str, ...]:
        """Names of the parts of an observation: cameras, "state", ..."""
        return tuple(path.removeprefix(_OBSERVATION) for path in self.features.steps if path.startswith(_OBSERVATION))

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of those parts that are images."""
        steps = self.features.steps
        return tuple(key for key in self.observation_keys if isinstance(steps[_OBSERVATION + key], ImageFeature))

    @abstractmethod
    def __len__(self) -> int:
        """Returns the number of steps T."""

    @abstractmethod
    def text(self, path: str, step: int) -> str:
        """Returns a text field at one step; raises FeatureError if there is none and IndexError outside [0, T)."""

    def wordings(self, step: int) -> tuple[str, ...]:
        """The instruction of one step in all its paraphrases, the usual one first; IndexError outside [0, T)."""
        return (self.text(INSTRUCTION, step),)

    def _require_step(self, step: int) -> None:
        if not 0 <= step < len(self):
            raise IndexError(f"step {step} of an episode of {len(self)} steps")

    def _find(self, path: str) -> tuple[str, Feature]:
        """The full path of a field of the steps and its feature; raises FeatureError if there is none."""
        steps = self.features.steps
        for candidate in (path, _OBSERVATION + path):
            if candidate in steps:
                return candidate, steps[candidate]
        reason = self.features.unread.get(f"{STEPS}/{path}")
        raise FeatureError(reason or f"steps have no field {path!r}; they have {', '.join(sorted(steps))}")

    def _find_numbers(self, path: str) -> tuple[str, TensorFeature | DepthFeature]:
        path, feature = self._find(path)
        if not isinstance(feature, TensorFeature | DepthFeature):
            raise FeatureError(f"{path} is not numeric; read it with frame() or text()")
        return path, feature

    def _find_text(self, path: str) -> str:
        path, feature = self._find(path)
        if not isinstance(feature, TextFeature):
            raise FeatureError(f"{path} is not text; read it with frame() or array()")
        return path

    def _find_image(self, path: str) -> tuple[str, ImageFeature]:
        path, feature = self._find(path)
        if not isinstance(feature, ImageFeature):
            raise FeatureError(f"{path} is not an image; read it with array() or text()")
        return path, feature

"""EpisodeSource: a data set as numbered episodes, whatever its file format."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import Protocol, runtime_checkable  # isinstance looks at properties without reading them

from embodio.datasets.episodes.features import EpisodeFeatures
from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError
from embodio.envs.embodiment import Embodiment


@runtime_checkable
class EpisodeView(Protocol):
    """One episode of T steps; `embodio.datasets.rlds.Episode` is one. Fields are named by their path.

    The part "observation/" of a path may be left out. Missing fields raise FeatureError, missing steps IndexError.
    """

    @property
    def features(self) -> EpisodeFeatures:
        """What the episode holds."""

    def __len__(self) -> int:
        """The number of steps T."""

    @property
    def metadata(self) -> dict[str, Any]:
        """Numbers, bools, strings or arrays that belong to the whole episode."""

    def value(self, path: str) -> Any:
        """A field of the whole episode by its full path ("episode_metadata/seed")."""

    @property
    def instruction(self) -> str:
        """The instruction at the first step."""

    def wordings(self, step: int) -> tuple[str, ...]:
        """The instruction at one step in all paraphrases of the data, the usual one first."""

    @property
    def observation_keys(self) -> tuple[str, ...]:
        """Names of the parts of an observation: cameras, "state", ..."""

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of those parts that are images."""

    def array(self, path: str) -> npt.NDArray[Any]:
        """A numeric field over all steps, [T, *shape], read-only."""

    def text(self, path: str, step: int) -> str:
        """A text field at one step."""

    def frame(self, path: str, step: int) -> npt.NDArray[np.uint8]:
        """The image of one step, uint8 [H, W, C], RGB."""

    def sequence(self, path: str, step: int | None = None) -> npt.NDArray[Any] | tuple[Any, ...]:
        """The values of a sequence at a step (or of the episode); `path` is one of `features.sequences`."""


@runtime_checkable
class EpisodeSource(Protocol):
    """A data set: numbered episodes of one robot. It can be pickled; a copy opens its own files.

    Attributes:
        name: of the data set.
        features: what every episode holds.
    """

    @property
    def name(self) -> str:
        """Name of the data set."""

    @property
    def features(self) -> EpisodeFeatures:
        """What every episode holds."""

    @property
    def embodiment(self) -> Embodiment:
        """The robot that was recorded; raises DatasetError if the data set does not say."""

    def __len__(self) -> int:
        """The number of episodes."""

    def episode_length(self, index: int) -> int:
        """The number of steps of episode `index`, without decoding images."""

    def episode(self, index: int) -> EpisodeView:
        """Episode `index`; raises CorruptRecordError if it is damaged and IndexError if there is none."""

    def close(self) -> None:
        """Closes files; reopened when needed."""


def encoded_frame(episode: EpisodeView, path: str, step: int) -> bytes | None:
    """The compressed image of one step, None where the episode does not have it; errors as `EpisodeView.frame`."""
    read = getattr(episode, "encoded_frame", None)
    data: bytes | None = None if read is None else read(path, step)
    return data


def put_frame(episode: EpisodeView, path: str, step: int, out: npt.NDArray[np.uint8]) -> None:
    """Puts the image of one step into an array, without an intermediate copy if the episode has `frame_into`.

    Args:
        episode: of a data set.
        path: name of a camera.
        step: from 0 to T - 1.
        out: uint8 [H, W, C].

    Raises:
        FeatureError: the image has another shape, or as `EpisodeView.frame`.
    """
    fill = getattr(episode, "frame_into", None)
    if fill is not None:
        fill(path, step, out)
        return
    frame = episode.frame(path, step)
    if frame.shape != out.shape:
        raise FeatureError(f"{path}: an image of shape {frame.shape} at step {step}, where {out.shape} was expected")
    out[...] = frame


def some_episodes(source: EpisodeSource, count: int = 16) -> Iterator[tuple[int, EpisodeView]]:
    """Numbers and episodes from across a data set that are readable and have steps, for a first look.

    Args:
        source: the data set.
        count: how many are tried, evenly spaced; if none of them qualifies, the others are tried up to the first that
            does.
    """
    spread = list(dict.fromkeys(np.linspace(0, max(0, len(source) - 1), count).astype(int).tolist()))
    spread, others = spread[: len(source)], (number for number in range(len(source)) if number not in spread)
    found = False
    for tried in (spread, others):
        for number in tried:
            try:
                episode = source.episode(number)
                steps = len(episode)
            except (CorruptRecordError, FeatureError):
                continue
            if steps:
                found = True
                yield number, episode
                if tried is others:
                    return
        if found:
            return


def robot_of(source: EpisodeSource) -> Embodiment | None:
    """The robot of a data set; None if it is not described."""
    try:
        return source.embodiment
    except DatasetError:
        return None

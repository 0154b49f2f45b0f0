"""What every data set looks like from here on: numbered episodes, whatever the files are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import Protocol, runtime_checkable  # isinstance looks at properties without reading them

from embodio.datasets.episodes.features import EpisodeFeatures
from embodio.datasets.errors import FeatureError
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
        """What the robot was told to do, at the first step."""

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
        """What a step (or the episode, without `step`) has in any number; `path` is one of `features.sequences`."""


@runtime_checkable
class EpisodeSource(Protocol):
    """A data set: numbered episodes of one robot. It can be pickled; a copy opens files of its own.

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
        """The robot that was recorded; raises DatasetError where the data set does not say."""

    def __len__(self) -> int:
        """The number of episodes."""

    def episode_length(self, index: int) -> int:
        """The number of steps of episode `index`, without decoding images."""

    def episode(self, index: int) -> EpisodeView:
        """Episode `index`; raises CorruptRecordError where it is damaged and IndexError where there is none."""

    def close(self) -> None:
        """Closes files; they open again when they are needed."""


def encoded_frame(episode: EpisodeView, path: str, step: int) -> bytes | None:
    """The compressed image of one step, None where the episode does not have it; errors as `EpisodeView.frame`."""
    read = getattr(episode, "encoded_frame", None)
    data: bytes | None = None if read is None else read(path, step)
    return data


def put_frame(episode: EpisodeView, path: str, step: int, out: npt.NDArray[np.uint8]) -> None:
    """Puts the image of one step into an array; without a copy in between where the episode has `frame_into`.

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


def open_source(
    name_or_path: str | Path, *, folder: str | Path | None = None, split: str | None = None
) -> EpisodeSource:
    """Opens a data set.

    Args:
        name_or_path: a folder or file with data of any known layout, or its URL (RLDS is read in place, files of
            LeRobot folders and whole HDF5 files, tars and zips are copied to the user's cache folder); a YAML file that
            describes a data set, or a name of the catalogue.
        folder: where the files of a catalogue name are, a path or a URL; None looks in the folder (or at the URL) that
            the environment variable EMBODIO_DATA names.
        split: name of the split: of RLDS data ("train+test" joins several), LeRobot data, a filter key of HDF5, a task
            of VIMA; None takes that of the description, else "train" of RLDS and everything of the others.

    Raises:
        DatasetError: there is nothing of that name, or it is of no known layout; says what there is.
        CorruptRecordError: a file is damaged or cut off.
        FeatureError: the files do not hold what their description says.
    """
    from embodio.datasets.opening import open_any  # the layouts import this module

    return open_any(name_or_path, folder=folder, split=split)

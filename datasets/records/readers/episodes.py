"""Episodes of robots in any layout that `open_source` reads (RLDS, LeRobot, HDF5, recordings): trajectories."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from embodio.datasets.episodes.digests import episode_digests, videos_digest
from embodio.datasets.episodes.features import TensorFeature
from embodio.datasets.episodes.source import EpisodeSource, EpisodeView, robot_of
from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError
from embodio.datasets.opening import open_source
from embodio.datasets.records.files.file_set import FileSet
from embodio.datasets.records.opening import RecordFormat
from embodio.datasets.records.record import Media, Record, Trajectory
from embodio.datasets.records.settings import REMEDY, RecordSettings
from embodio.datasets.rlds.dataset_info import INFO_NAME
from embodio.datasets.tasks.parts.record_task import Place
from embodio.envs.embodiment import Dimension
from embodio.model.example import Image

_MARKS = ("features.json", "meta/info.json")
_STATE = "observation/state"

Numbers = npt.NDArray[np.floating[Any]]


class EpisodeRecords:
    """The episodes of a source; a `RecordSource`.

    Args:
        source: where they come from.
        camera: whose images are taken; "" for the first one.
        split: for the name.
    """

    def __init__(self, source: EpisodeSource, camera: str = "", split: str = "") -> None:
        self._source, self._camera, self._split = source, camera, split
        robot = robot_of(source)
        self._rate = None if robot is None else float(robot.control_hz)
        self._state = () if robot is None else tuple(robot.state)
        self._action = () if robot is None else tuple(robot.action.dimensions)

    @property
    def name(self) -> str:
        """For messages and logs."""
        return f"{self._source.name} {self._split}".strip()

    @property
    def digest(self) -> str:
        """SHA-256 of the digests of all episodes."""
        parts = [self.name, self._camera, videos_digest(self._source), *episode_digests(self._source)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def __len__(self) -> int:
        """The number of episodes."""
        return len(self._source)

    def place(self, index: int) -> Place:
        """Where record `index` comes from, for messages."""
        return Place(self.name, index)

    def record(self, index: int) -> Record:
        """An episode; its images are decoded when they are needed. Raises CorruptRecordError if it is damaged."""
        if not 0 <= index < len(self):
            raise DatasetError(f"record {index} of {self.name}: there are {len(self)}")
        episode = self._source.episode(index)
        try:
            camera = self._camera or next(iter(episode.cameras), "")
            return Record(
                key=f"{self.name}#{index}",
                trajectory=Trajectory(
                    instruction=episode.instruction,
                    images=Frames(episode, camera, lambda step: self._frame(episode, camera, index, step)),
                    states=(states := _numbers(episode, _STATE)),
                    actions=_words(actions := _numbers(episode, "action"), self._action),
                    rate=self._rate,
                    state_limits=_limits(states, self._state),
                    action_limits=_limits(actions, self._action),
                ),
                facts=dict(episode.metadata),
            )
        except FeatureError as error:
            raise CorruptRecordError(self.name, index, str(error), REMEDY) from error

    def _frame(self, episode: EpisodeView, camera: str, index: int, step: int) -> Image:
        try:
            return episode.frame(camera, step)
        except FeatureError as error:
            raise CorruptRecordError(self.name, index, f"step {step}: {error}", REMEDY) from error


class Frames(Sequence[Media[Image]]):
    """The images of all steps of an episode; none if it has no camera."""

    def __init__(self, episode: EpisodeView, camera: str, read: Callable[[int], Image]) -> None:
        self._length, self._read = len(episode) if camera else 0, read

    def __len__(self) -> int:
        """Steps with an image."""
        return self._length

    @overload
    def __getitem__(self, step: int) -> Media[Image]: ...

    @overload
    def __getitem__(self, step: slice) -> Sequence[Media[Image]]: ...

    def __getitem__(self, step: int | slice) -> Media[Image] | Sequence[Media[Image]]:
        """The image of a step."""
        if isinstance(step, slice):
            return [self[one] for one in range(*step.indices(self._length))]
        place = step + self._length if step < 0 else step
        if not 0 <= place < self._length:
            raise IndexError(f"step {step} of an episode of {self._length} steps")
        return Media(lambda: self._read(place))


def _numbers(episode: EpisodeView, field: str) -> Numbers | None:
    """A field of the steps as float [T, N]; None if the episode has no such vector."""
    features = episode.features.steps
    feature = features.get(field)
    if not isinstance(feature, TensorFeature) or len(feature.shape) != 1:
        return None
    array = episode.array(field)
    return array if np.issubdtype(array.dtype, np.floating) else array.astype(np.float64)


def _limits(values: Numbers | None, dimensions: Sequence[Dimension]) -> npt.NDArray[np.float64] | None:
    """Lowest and highest value of each number, [2, N]; None where the robot does not tell them."""
    if values is None or not dimensions or values.shape[1] != len(dimensions):
        return None
    found = np.array([[one.low for one in dimensions], [one.high for one in dimensions]], dtype=np.float64)
    return found if np.isfinite(found).all() else None


def _words(actions: Numbers | None, dimensions: Sequence[Dimension]) -> Numbers | tuple[str, ...] | None:
    """The actions; as words where each is one choice among words."""
    if actions is None or len(dimensions) != 1 or not dimensions[0].words or actions.shape[1] != 1:
        return actions
    words = dimensions[0].words
    chosen = np.rint(actions[:, 0])
    if not ((chosen >= 0) & (chosen < len(words))).all():  # also false for NaN
        return actions
    return tuple(words[int(number)] for number in chosen)


def _holds(files: FileSet) -> bool:
    """Whether files are RLDS or LeRobot; other layouts are read with reader=episodes."""
    if isinstance(files.root, str):
        return f"{INFO_NAME}" in files.names and "features.json" in files.names
    ends = tuple(f"/{mark}" for mark in _MARKS)
    return any(f"/{name}".endswith(ends) for name in files.names)


def _opened(files: FileSet, settings: RecordSettings) -> EpisodeRecords:
    split = settings.split
    place = files.place if isinstance(files.root, str) else Path(files.place)
    if isinstance(place, Path) and split and (place / split).is_dir():  # a data set for each split
        place, split = place / split, ""
    camera = settings.columns.get("image", "")
    if not isinstance(camera, str):
        raise DatasetError(f"columns.image: got {list(camera)}, expected the name of one camera")
    return EpisodeRecords(open_source(place, split=split or None), camera, settings.split)


READER = RecordFormat("episodes", "RLDS, LeRobot, recordings", _holds, _opened, takes_splits=True)

"""The index of a data set: episode lengths and damaged episodes, found once and kept with the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.datasets.episodes.side_files import fingerprint, load_side_file, save_side_file
from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.errors import CorruptRecordError, ExampleError, FeatureError

_KIND = "episodes"
_LONGEST = 1 << 26  # steps of an episode; two weeks at 50 Hz
_LISTED = 8  # episodes that are named one by one


@dataclass(frozen=True)
class EpisodeIndex:
    """Lengths of all N episodes.

    Attributes:
        lengths: steps of each episode, int64 [N]; 0 where it is damaged.
        damaged: number of each damaged episode -> what is wrong with it.
    """

    lengths: npt.NDArray[np.int64]
    damaged: Mapping[int, str]

    @property
    def empty(self) -> tuple[int, ...]:
        """Numbers of the episodes that have no steps and are not damaged."""
        return tuple(int(number) for number in np.flatnonzero(self.lengths == 0) if int(number) not in self.damaged)

    def empty_in_words(self) -> str:
        """The number of episodes without steps, and which; empty if there are none."""
        empty = self.empty
        if not empty:
            return ""
        listed = ", ".join(map(str, empty[:_LISTED])) + (", ..." if len(empty) > _LISTED else "")
        return f"{len(empty)} of {len(self.lengths)} episodes have no steps and are left out ({listed})"

    def errors(self, dataset: str) -> tuple[ExampleError, ...]:
        """The damaged episodes as errors."""
        return tuple(ExampleError(dataset, episode, 0, problem) for episode, problem in self.damaged.items())


def _plausible(length: int) -> int:
    """Returns the number of steps; raises FeatureError if no memory would hold them, as only damage says so."""
    if length > _LONGEST:
        raise FeatureError(f"an episode of {length} steps; {_LONGEST} is the most")
    return length


def index_episodes(source: EpisodeSource) -> EpisodeIndex:
    """Returns the lengths of all episodes, from the side file if it is up to date, else from the data."""
    key = fingerprint(source)
    known = load_side_file(source, _KIND, key)
    if isinstance(known, dict) and len(known.get("lengths", ())) == len(source):
        damaged = {int(episode): str(problem) for episode, problem in known["damaged"].items()}
        return EpisodeIndex(np.array(known["lengths"], dtype=np.int64), damaged)
    lengths = np.zeros(len(source), dtype=np.int64)
    damaged = {}
    for episode in range(len(source)):
        try:
            lengths[episode] = _plausible(source.episode_length(episode))
        except (CorruptRecordError, FeatureError) as error:
            damaged[episode] = str(error)
    save_side_file(source, _KIND, key, {"lengths": lengths.tolist(), "damaged": damaged})
    return EpisodeIndex(lengths, damaged)

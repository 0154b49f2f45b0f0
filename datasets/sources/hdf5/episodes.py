"""Locations of the episodes of HDF5 files, in one list; an unreadable file counts as one episode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from embodio.datasets.errors import CorruptRecordError, DatasetError
from embodio.datasets.sources.hdf5.dialect import Dialect, dialect_of
from embodio.datasets.sources.hdf5.files import REMEDY, OpenFiles, readable

MOST = 16
"""Number of episodes inspected."""


@dataclass(frozen=True)
class EpisodePlace:
    """Where one episode is.

    Attributes:
        file: index into the files.
        group: name of its group; "" is the file.
        name: of the episode, for messages.
        problem: why the whole file cannot be read; empty if it can.
        masks: parts of the data -> whether it belongs to them.
    """

    file: int
    group: str
    name: str
    problem: str = ""
    masks: Mapping[str, bool] = field(default_factory=dict)


def find_episodes(files: OpenFiles) -> tuple[Dialect, list[EpisodePlace]]:
    """The dialect of the files and all episodes, in order.

    Raises:
        DatasetError: all files are damaged, of no dialect or cannot be used, or there is no episode.
    """
    places, dialect, failed = list[EpisodePlace](), None, list[DatasetError]()
    for number, path in enumerate(files.paths):
        try:
            file = files.file(number, len(places))
            with readable(path, len(places)):
                found = dialect_of(file, path)
                if dialect is None:
                    if problem := found.refused(file):
                        raise DatasetError(f"{path} {problem}")
                    dialect = found
                if found is not dialect:
                    raise DatasetError(
                        f"{path} is of the layout of {found.name}, others here of {dialect.name}. Keep these in a "
                        "folder of their own"
                    )
                masks = found.masks(file)
                names = found.episodes(file)
        except DatasetError as error:
            failed.append(error)
            places.append(EpisodePlace(number, "", path.stem, str(error)))
            continue
        for name in names:
            own = name.rpartition("/")[2]
            places.append(
                EpisodePlace(number, name, own or path.stem, "", {key: own in found for key, found in masks.items()})
            )
    if dialect is None and failed:
        raise failed[0]
    if dialect is None or not places:
        raise DatasetError(f"{files.paths[0] if files.paths else 'the folder'} holds no episode")
    return dialect, places


def spread(count: int) -> Iterator[Sequence[int]]:
    """Numbers of episodes to inspect, from across the data; then the others one by one, in case these are empty."""
    chosen = sorted(set(np.linspace(0, count - 1, min(count, MOST)).astype(int).tolist()))
    yield chosen
    yield from ([number] for number in range(count) if number not in chosen)


def require_readable(files: OpenFiles, place: EpisodePlace, index: int) -> None:
    """Raises CorruptRecordError if the whole file of an episode cannot be read."""
    if place.problem:
        raise CorruptRecordError(files.paths[place.file], index, place.problem, REMEDY)

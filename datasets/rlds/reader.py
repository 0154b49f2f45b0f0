"""RLDSReader: random access to the episodes of an RLDS data set, without TensorFlow."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from embodio.datasets.episodes.feature_json import load_features
from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError
from embodio.datasets.files.remote import is_url, mirror
from embodio.datasets.rlds.dataset_info import INFO_NAME, DatasetInfo, ShardPart
from embodio.datasets.rlds.episode import Episode
from embodio.datasets.rlds.pieces.piece_table import PieceTableBuilder
from embodio.datasets.rlds.pieces.record_index import RecordIndex
from embodio.datasets.rlds.shards import Shard, open_shard
from embodio.datasets.rlds.writer import SPLIT
from embodio.envs.embodiment import Embodiment

_log = logging.getLogger(__name__)
_SMALL_FILES = (INFO_NAME, "features.json", "embodiment.json")


class RLDSReader:
    """A data set of episodes, as tfds or `embodio.datasets.rlds.writer` wrote it, on this machine or behind a URL.

    The positions of the records are found once and kept in a small file with the data (where the folder can be
    written). Files are opened on first use and read at absolute positions, so a reader may be pickled, forked and used
    by several threads. For a data set behind a URL the descriptions and the index are kept in the user's cache
    folder, and each record is one request; shards are opened when first needed.

    Attributes:
        folder: where the descriptions are on this machine.
        location: where the shards are: the folder, or a URL.
        split: name of the split.
        name: of the data set.
        version: its version.
        features: what an episode holds.
        missing: one line that names and counts the shards of the split that were not fetched completely, if any; the
            other episodes are numbered without them.
    """

    def __init__(self, folder: str | Path, split: str = SPLIT) -> None:
        """Opens a data set.

        Args:
            folder: holds dataset_info.json and features.json; a path, or a URL that fsspec reads.
            split: name of the split, or another expression of tfds: "train[:90%]", "train[3:]", "train+test", "all".

        Raises:
            DatasetError: the folder holds no such data set, its format cannot be read, or a file or a package that its
                URL needs is missing.
            CorruptRecordError: a file is damaged or cut off.
        """
        self.location = str(folder).rstrip("/") if is_url(folder) else Path(folder)
        self.folder = mirror(self.location, _SMALL_FILES) if isinstance(self.location, str) else self.location
        if isinstance(self.location, str) and not (self.folder / INFO_NAME).exists():
            raise DatasetError(
                f"{self.location}/{INFO_NAME} is missing. Give the address of a data set: a folder of RLDS or LeRobot, "
                "or an HDF5 file, tar or zip"
            )
        self.split = split
        info = DatasetInfo.load(self.folder)
        self.name, self.version = info.name, info.version
        self.features = load_features(self.folder)
        self._index = RecordIndex(self.folder)
        parts = info.shards(split)
        shards = {
            part.name: open_shard(self.location, part.name, part.count, self._index, info.file_format) for part in parts
        }
        absent: dict[str, DatasetError] = {}
        if isinstance(self.location, Path):
            absent = _absent(shards.values())
            self._index.save()
        self.missing = tuple(_said(self.location, split, parts, absent))
        self._parts = [part for part in parts if part.name not in absent]
        self._shards = [shards[part.name] for part in self._parts]
        self._ends = np.cumsum([len(part) for part in self._parts])
        self._steps: dict[str, list[int]] = {}

    def __len__(self) -> int:
        """Returns the number of episodes."""
        return int(self._ends[-1])

    def __iter__(self) -> Iterator[Episode]:
        """Yields all episodes in order."""
        return (self.episode(index) for index in range(len(self)))

    @property
    def embodiment(self) -> Embodiment:
        """The robot that was recorded.

        Raises:
            DatasetError: the data set does not say.
        """
        path = self.folder / "embodiment.json"
        if not path.exists():
            raise DatasetError(
                f"{path} is missing, so the robot is not described. Open the data through a YAML file, which "
                f"`embodio-data inspect` proposes, or write it with Embodiment(...).save({str(path)!r})"
            )
        return Embodiment.load(path)

    def episode(self, index: int) -> Episode:
        """Reads one episode.

        Args:
            index: from 0 to len - 1, in the order of the shards.

        Raises:
            CorruptRecordError: its record is damaged.
            IndexError: there is no such episode.
        """
        number, inside = self._place(index)
        return Episode(self._shards[number].example(inside), self.features)

    def episode_length(self, index: int) -> int:
        """Returns the number of steps of one episode.

        The first call for a shard reads all of it; the numbers are then kept, also on disk with the data.
        Errors as in `episode`.
        """
        number, inside = self._place(index)
        name = self._shards[number].name
        if name not in self._steps:
            self._steps[name] = self._count_steps(number)
        known = self._steps[name][inside]
        return len(self.episode(index)) if known < 0 else known

    def record(self, index: int) -> bytes:
        """Returns the serialised record of one episode; errors as in `episode`."""
        number, inside = self._place(index)
        return self._shards[number].record(inside)

    def close(self) -> None:
        """Closes the files; reopened when needed."""
        self._index.save()
        for shard in self._shards:
            shard.close()

    def _place(self, index: int) -> tuple[int, int]:
        """Number of the shard, and of the record in it."""
        if not 0 <= index < len(self):
            raise IndexError(f"episode {index} of a data set of {len(self)}")
        number = int(np.searchsorted(self._ends, index, side="right"))
        return number, index - int(self._ends[number]) + self._parts[number].last

    def _count_steps(self, number: int) -> list[int]:
        """Steps of all episodes of a shard; -1 marks a damaged record. Records its pieces as well."""
        shard = self._shards[number]
        stamp = shard.stamp()
        known = self._index.steps(shard.name, stamp, shard.count)
        if known is not None and not shard.wants_pieces():
            return known
        steps, builder = [], PieceTableBuilder()
        for inside in range(shard.count):
            record, length = self._examined(shard, inside)
            steps.append(length)
            builder.add(record)
        self._index.keep_steps(shard.name, stamp, steps)
        if shard.wants_pieces():
            shard.keep_pieces(builder.build())
        return steps

    def _examined(self, shard: Shard, inside: int) -> tuple[bytes | None, int]:
        """A record and its steps; None and -1 if it is damaged, which reading this episode reports."""
        try:
            record = shard.record(inside)
            return record, len(Episode(record, self.features))
        except (CorruptRecordError, FeatureError):
            return None, -1


def _absent(shards: Iterable[Shard]) -> dict[str, DatasetError]:
    """Name of each missing or incomplete shard -> what is wrong with it."""
    absent = {}
    for shard in shards:
        try:
            shard.prepare()
        except DatasetError as error:
            absent[shard.name] = error
    return absent


def _said(
    place: Path | str, split: str, parts: Sequence[ShardPart], absent: Mapping[str, DatasetError]
) -> Iterator[str]:
    """The line about missing shards, which is also logged; raises the first error if no shard is left."""
    if not absent:
        return
    first, count = next(iter(absent.values())), len({part.name for part in parts})
    if len(absent) == count:
        raise first
    lost, episodes = sum(len(part) for part in parts if part.name in absent), sum(map(len, parts))
    line = (
        f"{place}: {len(absent)} of {count} shards of the split {split!r} were not fetched whole, and with them {lost} "
        f"of {episodes} episodes: {', '.join(absent)} ({first})"
    )
    _log.warning("%s", line)
    yield line

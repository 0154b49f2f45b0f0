"""FileRecords: numbered records of a set of files; what is common to all readers that count with tables."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import DatasetError, ExampleError
from embodio.datasets.files.byte_files import ByteFile
from embodio.datasets.records.files.file_set import FileSet
from embodio.datasets.records.files.tables import Table, Tables
from embodio.datasets.records.record import Record
from embodio.datasets.records.settings import Origin, RecordSettings, leave_out, refuse
from embodio.datasets.tasks.parts.record_task import Place

_OPEN = 128  # files at a time
_BLOCK = 1 << 24  # bytes


class FileRecords(ABC):
    """The records of all files, in the order of the files; a `RecordSource`.

    Args:
        files: they hold the records.
        settings: how they are read.

    Attributes:
        files: as given.
        settings: as given.
        dropped: records that `duplicates="drop"` left out.
    """

    kind: str
    """Name of the reader."""

    def __init__(self, files: FileSet, settings: RecordSettings) -> None:
        self.files, self.settings = files, settings
        self._files: OrderedDict[int, ByteFile] = OrderedDict()
        self._tables = Tables(files, self._table_kind(), self._table)
        counts = self._tables.counts
        self._kept = self._without_duplicates() if settings.duplicates == "drop" else None
        self._ends = np.cumsum(counts)
        self._size = int(counts.sum()) if self._kept is None else len(self._kept)
        self.dropped = int(counts.sum()) - self._size

    @property
    def name(self) -> str:
        """For messages and logs."""
        return f"{self.files.name} {self.settings.split}".strip()

    @property
    def digest(self) -> str:
        """SHA-256 of the names and contents of the files and of how they are read."""
        files = list(zip(self.files.names, self._tables.digests, self._tables.counts.tolist(), strict=True))
        content = [self.kind, dataclasses.asdict(self.settings), files]
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()

    @property
    def damaged(self) -> tuple[ExampleError, ...]:
        """Files that are damaged as a whole; what can be read of them is there."""
        return tuple(
            ExampleError(self.name, int(self._ends[number]), -1, f"{self.files.names[number]}: {problem}")
            for number, problem in self._tables.problems.items()
        )

    def __len__(self) -> int:
        """Records of all files."""
        return self._size

    def record(self, index: int) -> Record:
        """Record `index`; raises CorruptRecordError if it cannot be read."""
        return self._read(*self.locate(index))

    def place(self, index: int) -> Place:
        """Where record `index` comes from, for messages."""
        return Place(self.name, index)

    def locate(self, index: int) -> tuple[int, int]:
        """The number of the file of a record, and its number in the file."""
        if not 0 <= index < self._size:
            raise DatasetError(f"record {index} of {self.name}: there are {self._size}")
        position = index if self._kept is None else int(self._kept[index])
        number = int(np.searchsorted(self._ends, position, side="right"))
        return number, position - int(self._ends[number] - self._tables.counts[number])

    def origin(self, number: int, row: int, place: str) -> Origin:
        """Where a part of a record is, for errors."""
        return Origin(f"{self.files.root}/{self.files.names[number]}", row, place)

    def close(self) -> None:
        """Closes files; reopened when needed."""
        while self._files:
            self._files.popitem()[1].close()

    def __getstate__(self) -> dict[str, Any]:
        """Pickles without open files."""
        return self.__dict__ | {"_files": OrderedDict()}

    def _opened(self, number: int) -> ByteFile:
        """A file that is kept open for a while."""
        file = self._files.get(number)
        if file is None:
            file = self._files[number] = self._file(number)
            while len(self._files) > _OPEN:
                self._files.popitem(last=False)[1].close()
        return file

    def _bytes(self, number: int, origin: Origin, start: int, size: int) -> bytes:
        """A part of a file; raises CorruptRecordError if the file ends in it, UnusableRecord if it is too large."""
        if size > self.settings.largest_record:
            leave_out(origin, f"{size} bytes, more than largest_record={self.settings.largest_record}")
        data = self._opened(number).read(start, size)
        if len(data) < size:
            refuse(origin, "the file ends inside the record")
        return data

    def _file(self, number: int) -> ByteFile:
        """A file, to be read at random."""
        return self.files.file(number)

    def _without_duplicates(self) -> npt.NDArray[np.int64]:
        """The positions of all records whose content was not there before."""
        hashes = [self._tables[number].arrays.get("hashes") for number in range(len(self.files))]
        if any(one is None for one in hashes):
            raise DatasetError(f"duplicates: the reader {self.kind} cannot drop them; say duplicates=keep")
        joined = np.concatenate([np.asarray(one) for one in hashes])
        return np.sort(np.unique(joined, return_index=True)[1]).astype(np.int64)

    def _table_kind(self) -> str:
        """What tables hold, with all settings that change them."""
        return f"{self.kind} {self.settings.duplicates}"

    @abstractmethod
    def _table(self, number: int) -> Table:
        """Makes the table of a file."""

    @abstractmethod
    def _read(self, number: int, row: int) -> Record:
        """Reads a record of a file by its number in it."""


def hash_of(parts: Iterable[bytes]) -> int:
    """64 bits of a hash of a record's bytes."""
    total = hashlib.blake2b(digest_size=8)
    for part in parts:
        total.update(part)
    return int.from_bytes(total.digest(), "little", signed=True)


def content(file: ByteFile, spans: Sequence[Sequence[int]]) -> Iterator[bytes]:
    """The bytes of parts of a file (offset, size), however large, a block at a time."""
    for start, size in spans:
        for place in range(start, start + size, _BLOCK):
            yield file.read(place, min(_BLOCK, start + size - place))

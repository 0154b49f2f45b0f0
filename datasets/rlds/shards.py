"""The shards of a data set: numbered records in one file, in either of tfds' formats."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, Protocol

from embodio.datasets.errors import CorruptRecordError, DatasetError
from embodio.datasets.files.byte_files import ByteFile, LocalFile, byte_file
from embodio.datasets.files.names import inside
from embodio.datasets.files.remote import fetch
from embodio.datasets.rlds.example_proto import DecodedExample, ExampleValues
from embodio.datasets.rlds.pieces.piece_table import PieceTable, Stamp
from embodio.datasets.rlds.pieces.pieces import PiecedExample, knows
from embodio.datasets.rlds.pieces.record_index import SIDE_FOLDER, RecordIndex
from embodio.datasets.rlds.tfrecord import read_payload

_REMEDY = "Fetch it again"


class Shard(Protocol):
    """Numbered records. It can be pickled and forked; a copy opens its own files.

    Attributes:
        name: of the file in its folder.
        count: number of records.
    """

    name: str
    count: int

    def prepare(self) -> None:
        """Finds the records; raises DatasetError or CorruptRecordError if the file is missing or damaged."""

    def record(self, number: int) -> bytes:
        """One record; raises CorruptRecordError if it is damaged."""

    def example(self, number: int) -> ExampleValues:
        """The values of one record, read in pieces if possible; errors as `record`, now or on access."""

    def stamp(self) -> tuple[int, int | str]:
        """Size of the file, and a value that changes with its content."""

    def wants_pieces(self) -> bool:
        """Whether a table of the pieces of all records is missing and would be used."""

    def keep_pieces(self, table: PieceTable) -> None:
        """Takes that table."""

    def close(self) -> None:
        """Closes the file; it opens again when it is needed."""


def open_shard(folder: Path | str, name: str, count: int, index: RecordIndex, file_format: str) -> Shard:
    """A shard of a folder, which is a path or a URL; nothing is opened yet.

    Args:
        folder: where the file is.
        name: of the file.
        count: number of its records, as dataset_info.json says.
        index: where the places of records are remembered.
        file_format: "tfrecord" or "array_record".
    """
    if file_format == "array_record":
        return ArrayRecordShard(folder, name, count, index.folder)
    return TFRecordShard(byte_file(folder, name), name, count, index)


class TFRecordShard:
    """A TFRecord file; its index is made once."""

    def __init__(self, file: ByteFile, name: str, count: int, index: RecordIndex) -> None:
        self.name, self.count = name, count
        self._file, self._index = file, index
        self._spans: Any = None
        self._pieces: PieceTable | None = None
        self._pieces_sought = False
        self._stamp: Stamp | None = None  # of the file when it was opened, as a local file only

    def prepare(self) -> None:
        """Finds the records, from the index or in the file."""
        if self._spans is None:
            if isinstance(self._file, LocalFile):  # remotely, a request costs more than reading a whole record
                self._stamp = self._file.stamp()
            spans = self._index.spans(self.name, self._file)
            if len(spans) != self.count:
                raise _miscounted(self._file.name, len(spans), self.count)
            self._spans = spans

    def record(self, number: int) -> bytes:
        """One record; raises CorruptRecordError if it is damaged."""
        self.prepare()
        offset, length = self._spans[number]
        return read_payload(self._file, number, int(offset), int(length))

    def example(self, number: int) -> ExampleValues:
        """The values of one record, in pieces if there is a table of them; errors as `record`, now or on access."""
        table = self._table()
        if table is None or not knows(table, number):
            return DecodedExample(self.record(number))
        start = self._spans.item(number, 0)
        return PiecedExample(
            table, number, lambda offset, size: self._file.read(start + offset, size), lambda: self.record(number)
        )

    def stamp(self) -> tuple[int, int | str]:
        """Size of the file, and a value that changes with its content."""
        return self._file.stamp()

    def wants_pieces(self) -> bool:
        """Whether the table of pieces is missing and can be kept."""
        return self._table() is None and self._stamp is not None and os.access(self._index.folder, os.W_OK)

    def keep_pieces(self, table: PieceTable) -> None:
        """Stores the table of pieces of all records with the data."""
        if self._stamp is not None:
            table.save(self._pieces_path(), self._stamp)
            self._pieces_sought = False

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def __getstate__(self) -> dict[str, Any]:
        """Pickles without the table; a copy opens the same one."""
        return self.__dict__ | {"_pieces": None, "_pieces_sought": False}

    def _table(self) -> PieceTable | None:
        if not self._pieces_sought:
            self.prepare()
            if self._stamp is not None:
                self._pieces = PieceTable.load(self._pieces_path(), self._stamp, self.count)
            self._pieces_sought = True
        return self._pieces

    def _pieces_path(self) -> Path:
        return inside(self._index.folder, f"{SIDE_FOLDER}/pieces-{self.name}", self._index.folder)


class ArrayRecordShard:
    """An array_record file; one behind a URL is fetched whole when it is first needed."""

    def __init__(self, folder: Path | str, name: str, count: int, cache: Path) -> None:
        self.name, self.count = name, count
        self._folder, self._cache = folder, cache
        self._reader: Any = None
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Checks that the file is there; it is opened only when a record is read, because a reader dies in a fork."""
        if isinstance(self._folder, Path) and not self.stamp()[0]:
            raise CorruptRecordError(self._file.name, 0, "the file is empty", _REMEDY)

    def record(self, number: int) -> bytes:
        """One record; raises CorruptRecordError if it is damaged."""
        with self._lock:
            reader = self._open()
            try:
                (record,) = reader.read([number])
            except RuntimeError as error:
                raise CorruptRecordError(self._file.name, number, str(error), _REMEDY) from error
        return bytes(record)

    def example(self, number: int) -> ExampleValues:
        """The values of one record; errors as `record`."""
        return DecodedExample(self.record(number))

    def stamp(self) -> tuple[int, int | str]:
        """Size of the file, and a value that changes with its content."""
        return self._file.stamp()

    def wants_pieces(self) -> bool:
        """No: records are read whole."""
        return False

    def keep_pieces(self, table: PieceTable) -> None:
        """Does nothing: records are read whole."""

    def close(self) -> None:
        """Closes the file."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def __getstate__(self) -> dict[str, Any]:
        """Pickles without the open file."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_reader", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Begins with a closed file."""
        self.__dict__.update(state, _reader=None, _lock=threading.Lock())

    @property
    def _file(self) -> ByteFile:
        return byte_file(self._folder, self.name)

    def _open(self) -> Any:
        if self._reader is None:
            try:
                from array_record.python.array_record_module import ArrayRecordReader
            except ImportError as error:
                raise DatasetError(f"{self._file.name} needs array_record: pip install array_record") from error
            self.stamp()
            path = (
                inside(self._folder, self.name, self._folder)
                if isinstance(self._folder, Path)
                else self._fetched(self._folder)
            )
            reader = ArrayRecordReader(str(path), "readahead_buffer_size:0,max_parallelism:0")
            found = reader.num_records()
            if not reader.ok() or found != self.count:
                raise _miscounted(self._file.name, found, self.count)
            self._reader = reader
        return self._reader

    def _fetched(self, url: str) -> Path:
        return fetch(f"{url}/{self.name}", self._cache)


def _miscounted(name: Path | str, found: int, declared: int) -> CorruptRecordError:
    return CorruptRecordError(
        name, min(found, declared), f"{found} records, but dataset_info.json says {declared}", "Fetch both again"
    )

"""Opening of corpora: the reader that recognises the files, found by listing the folder `readers`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from embodio.datasets.errors import DatasetError
from embodio.datasets.plug_ins import PlugIns
from embodio.datasets.records import readers
from embodio.datasets.records.files.file_set import FileSet, file_set
from embodio.datasets.records.record import RecordSource
from embodio.datasets.records.settings import RecordSettings


@dataclass(frozen=True)
class RecordFormat:
    """One way to keep records in files; a module of `readers` has one as `READER`.

    Attributes:
        kind: its name, as in `reader=`; that of the module.
        looks: what its files look like, for the message that names all readers.
        holds: whether files are of this kind; it goes by their names, or small files among them.
        opened: makes the source.
        rank: readers are tried in ascending rank; those that take any files come last.
        takes_splits: whether it finds the files of a split itself.
    """

    kind: str
    looks: str
    holds: Callable[[FileSet], bool]
    opened: Callable[[FileSet, RecordSettings], RecordSource]
    rank: int = 0
    takes_splits: bool = False

    def source(self, files: FileSet, settings: RecordSettings) -> RecordSource:
        """Opens files of this kind; errors as in `open_records`."""
        return self.opened(files if self.takes_splits else files.of_split(settings.split), settings)


@cache
def record_readers() -> tuple[RecordFormat, ...]:
    """All readers, in the order in which they are tried; raises DatasetError if a module has none."""
    plug_ins = PlugIns(readers.__name__, "READER", kind="reader")
    found: list[RecordFormat] = [plug_ins.named(name) for name in plug_ins.names()]
    return tuple(sorted(found, key=lambda reader: (reader.rank, reader.kind)))


def open_records(place: str | Path, **settings: Any) -> RecordSource:
    """Opens a corpus.

    Args:
        place: a file, a folder, a pattern such as "shards/{0000..0127}.tar", or a URL of one of these.
        **settings: of `RecordSettings`, such as split="train" or columns={"text": "body"}.

    Raises:
        DatasetError: there are no such files, no reader knows them, or a setting is wrong.
    """
    files, how = file_set(place), RecordSettings.of(settings)
    return reader_of(files, how).source(files, how)


def _named(kind: str) -> RecordFormat:
    for reader in record_readers():
        if reader.kind == kind:
            return reader
    raise DatasetError(f"reader: {kind!r}, expected one of {', '.join(one.kind for one in record_readers())}")


def reader_of(files: FileSet, settings: RecordSettings) -> RecordFormat:
    """The reader that the settings name, or that recognises the files; errors as in `open_records`."""
    return _named(settings.reader) if settings.reader else _recognised(files)


def _recognised(files: FileSet) -> RecordFormat:
    for reader in record_readers():
        if reader.holds(files):
            return reader
    known = "; ".join(f"{reader.kind}: {reader.looks}" for reader in record_readers())
    raise DatasetError(f"{files.place} holds no records of a known kind ({known}). Name the kind with reader=")

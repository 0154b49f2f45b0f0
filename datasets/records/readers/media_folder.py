"""Folders of images, sounds and videos with text next to them: files of one name up to the suffix are a record.

Texts may also be in a table `metadata.csv` or `metadata.jsonl` whose column `file_name` names the media, as in the
image folders of Hugging Face.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from embodio.datasets.errors import DatasetError
from embodio.datasets.records.columns import Columns
from embodio.datasets.records.decoding import IMAGES, SOUNDS, VIDEOS
from embodio.datasets.records.files.file_set import FileSet
from embodio.datasets.records.members import Member, is_member, record_of_members, split_name, text_of
from embodio.datasets.records.opening import RecordFormat
from embodio.datasets.records.record import Record
from embodio.datasets.records.settings import Origin, RecordSettings, leave_out
from embodio.datasets.tasks.parts.record_task import Place

_TABLES = ("metadata.csv", "metadata.jsonl")
_NAMES = ("file_name", "image", "sound", "video", None)  # None holds what a CSV has too much
_HASHED = 1 << 16  # bytes at both ends of a file; compressed media do not change without a change there or in size
_LARGEST_TABLE = 1 << 30  # bytes


class MediaFolder:
    """The records of a folder, in order of their keys; a `RecordSource`.

    Args:
        files: all files below the folder.
        settings: how they are read.
    """

    def __init__(self, files: FileSet, settings: RecordSettings) -> None:
        if settings.duplicates == "drop":
            raise DatasetError("duplicates: folders of media cannot drop them; say duplicates=keep")
        self.files, self.settings = files, settings
        self._columns = Columns.of(settings, files.root)
        groups = dict[str, dict[str, str]]()
        there = set(files.names)
        for name in files.names:
            key, suffix = split_name(name, at_first=False)
            if key in there:  # picture.jpg.txt next to picture.jpg
                key = split_name(key, at_first=False)[0]
            if is_member(suffix) and not _is_table(name):
                groups.setdefault(key, {})[suffix] = name
        self._groups = list(groups.items())
        self._rows = dict(self._described())

    @property
    def name(self) -> str:
        """For messages and logs."""
        return f"{self.files.name} {self.settings.split}".strip()

    @property
    def digest(self) -> str:
        """SHA-256 of names and sizes of all files, of both ends of each, and of how they are read."""
        total = hashlib.sha256(repr(sorted(dataclasses.asdict(self.settings).items())).encode())
        for number, name in enumerate(self.files.names):
            file = self.files.file(number)
            size, mark = file.stamp()
            total.update(f"\0{name}\0{size}\0".encode("utf-8", "surrogateescape"))
            if isinstance(file.name, str):
                total.update(str(mark).encode())
                continue
            total.update(file.read(0, _HASHED) + file.read(max(0, size - _HASHED), _HASHED))
            file.close()
        return total.hexdigest()

    def __len__(self) -> int:
        """The number of keys."""
        return len(self._groups)

    def place(self, index: int) -> Place:
        """Where record `index` comes from, for messages."""
        return Place(self.name, index)

    def record(self, index: int) -> Record:
        """The record of a key; raises CorruptRecordError if a text or the JSON is damaged."""
        if not 0 <= index < len(self):
            raise DatasetError(f"record {index} of {self.name}: there are {len(self)}")
        key, names = self._groups[index]
        members = {suffix: self._member(name, index) for suffix, name in names.items()}
        record = record_of_members(key, members, self.settings)
        for name in names.values():
            if name in self._rows:
                origin = Origin(f"{self.files.root}/{name}", index, "in the table of metadata")
                record = _joined(record, self._columns.record(self._rows[name], key, origin))
        return record

    def _member(self, name: str, index: int) -> Member:
        origin = Origin(f"{self.files.root}/{name}", index, "at byte 0")

        def read() -> bytes:
            file = self.files.named(name)
            size = file.stamp()[0]
            if size > self.settings.largest_record:
                leave_out(origin, f"{size} bytes, more than largest_record={self.settings.largest_record}")
            data = file.read(0, size)
            file.close()
            return data

        return Member(read, origin)

    def _described(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Name of each file that a table describes, and the row about it."""
        for table in filter(_is_table, self.files.names):
            file = self.files.named(table)
            data = file.read(0, _LARGEST_TABLE)
            file.close()
            text = text_of(data, Origin(f"{self.files.root}/{table}", 0, "at byte 0"))
            folder = table.rpartition("/")[0]
            for row in (_csv_rows if table.endswith(".csv") else _json_rows)(text, table):
                named = row.get("file_name")
                if isinstance(named, str) and named:
                    name = f"{folder}/{named}" if folder else named
                    told = {column: value for column, value in row.items() if column not in _NAMES}
                    yield name, {**told, _kind(named): name}


def _csv_rows(text: str, table: str) -> Iterator[Mapping[str, Any]]:
    rows = csv.DictReader(io.StringIO(text))
    try:
        yield from rows
    except csv.Error as error:
        problem = f"{table}, line {rows.line_num}: {error}"
        raise DatasetError(f"{problem}. Mend it, or put longer texts into metadata.jsonl") from error


def _json_rows(text: str, table: str) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(text.splitlines()):
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DatasetError(f"{table}, line {number + 1} is not JSON ({error})") from error
            yield row if isinstance(row, dict) else {}


def _joined(record: Record, described: Record) -> Record:
    """A record with what a table says about it."""
    return dataclasses.replace(
        record,
        captions=tuple(dict.fromkeys([*record.captions, *described.captions])),
        transcript=record.transcript or described.transcript,
        facts={**record.facts, **described.facts},
    )


def _kind(name: str) -> str:
    suffix = name.rpartition(".")[2].lower()
    return "sound" if suffix in SOUNDS else "video" if suffix in VIDEOS else "image"


def _is_table(name: str) -> bool:
    return name.rpartition("/")[2] in _TABLES


def _holds(files: FileSet) -> bool:
    return bool(files.with_suffix(*(f".{suffix}" for suffix in (*IMAGES, *SOUNDS, *VIDEOS))))


READER = RecordFormat("media_folder", "images, sounds or videos, with text next to them", _holds, MediaFolder, rank=1)

"""Rows of tables: JSON, JSON lines, CSV, TSV, Parquet and Arrow files as named values, reached by number."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from embodio.datasets.annotations.parts.item import AnnotatedItem, LazyItems, expecting, file_text, parsed
from embodio.datasets.annotations.parts.values import annotation_of
from embodio.datasets.errors import AnnotationError, DatasetError
from embodio.datasets.records.columns import RowRecords
from embodio.datasets.records.opening import open_records
from embodio.model.tasks.base.family import Annotation, Family

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_LISTS = ("data", "annotations", "questions", "rows")


class Rows(Protocol):
    """Rows of a table. They can be pickled."""

    def __len__(self) -> int: ...

    def row(self, number: int) -> Mapping[str, Any]:
        """The values of a row by their columns; raises AnnotationError if it is damaged."""

    def place(self, number: int) -> str:
        """Where a row is, for messages."""


@dataclass(frozen=True)
class HeldRows:
    """Rows in memory.

    Attributes:
        rows: the values.
        first: number of the first one in messages.
    """

    rows: Sequence[Mapping[str, Any]]
    first: int = 0

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.rows)

    def row(self, number: int) -> Mapping[str, Any]:
        """The values of a row."""
        return self.rows[number]

    def place(self, number: int) -> str:
        """Where a row is."""
        return f"row {number + self.first}"


@dataclass(frozen=True)
class IndexedRows:
    """Rows that are read from their file when they are needed.

    Attributes:
        source: the records; where each row is, is found once and kept next to the file.
    """

    source: RowRecords

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.source)

    def row(self, number: int) -> Mapping[str, Any]:
        """The values of a row; raises AnnotationError if it is damaged."""
        try:
            return self.source.row(number)
        except DatasetError as error:
            raise AnnotationError(str(error)) from error

    def place(self, number: int) -> str:
        """Where a row is."""
        file, row = self.source.locate(number)
        return f"row {row} of {self.source.files.names[file]}"


def open_rows(file: Path, *, columns: Sequence[str] = (), delimiter: str = "") -> Rows:
    """The rows of a file.

    JSON lines, Parquet and Arrow, also a folder of them, are read row by row at random; JSON (a list, an object with
    one list, or an object of rows by their key, which becomes the column "key") and CSV are held in memory.

    Args:
        file: the table.
        columns: of a CSV whose first line is a row already.
        delimiter: of a CSV where it is not that of its ending.

    Raises:
        AnnotationError: it cannot be read, or holds no rows.
    """
    ending = Path(file.name.removesuffix(".gz")).suffix.lower()
    if ending == ".json" and (held := _json_rows(file)) is not None:
        return held
    if ending in _DELIMITERS or delimiter:
        return _csv_rows(file, columns, delimiter or _DELIMITERS[ending])
    try:
        source = open_records(file, reader="jsonl" if ending in (".json", ".jsonl", ".ndjson") else "")
    except DatasetError as error:
        raise AnnotationError(str(error)) from error
    if not isinstance(source, RowRecords):
        raise AnnotationError(f"{file}: it holds no rows of named values; expected JSON, CSV, Parquet or Arrow")
    for problem in source.damaged:
        raise AnnotationError(str(problem))
    return IndexedRows(source)


def _json_rows(file: Path) -> Rows | None:
    """The rows of JSON; None for JSON lines."""
    text = file_text(file)
    if text.lstrip().startswith("{") and "\n{" in text.strip():
        return None
    content = parsed(text, str(file))
    if isinstance(content, dict):
        lists = [content[name] for name in _LISTS if isinstance(content.get(name), list)]
        if lists:
            content = lists[0]
        elif content and all(isinstance(row, dict) for row in content.values()):
            content = [{"key": key} | row for key, row in content.items()]
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise AnnotationError(f"{file}: expected a list of objects")
    return HeldRows(content)


def _csv_rows(file: Path, columns: Sequence[str], delimiter: str) -> Rows:
    """The rows of a CSV; the file may begin with comments after #. Columns that a row lacks are not in it."""
    quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "|" else csv.QUOTE_MINIMAL
    try:
        reader = csv.reader(
            io.StringIO(file_text(file), newline=""), delimiter=delimiter, quoting=quoting, skipinitialspace=True
        )
        lines = [line for line in reader if line and not line[0].startswith("#")]
    except csv.Error as error:
        raise AnnotationError(f"{file}: not CSV: {error}") from error
    names = columns or (lines.pop(0) if lines else ())
    return HeldRows([dict(zip(names, line, strict=False)) for line in lines], first=1)


@dataclass(frozen=True)
class RowItems(LazyItems):
    """One item for each row of a table, read when it is needed; nothing is held in memory.

    Attributes:
        file: the table, for messages.
        folder: of the media.
        family: what the rows are for.
        rows: the rows.
        values: the fields of an annotation of a row, see `annotation_of`.
        schema: what a row should hold, for messages.
    """

    file: Path
    folder: Path
    family: Family[Any]
    rows: Rows
    values: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    schema: str

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.rows)

    def item(self, index: int) -> AnnotatedItem:
        """The item of a row."""
        return AnnotatedItem(str(index), str(index), partial(self.made, index))

    def made(self, number: int) -> Annotation:
        """The annotation of a row; raises AnnotationError."""
        where = f"{self.file}, {self.rows.place(number)}"
        row = self.rows.row(number)
        with expecting(where, self.schema):
            values = self.values(row)
        return annotation_of(self.family, values, self.folder, where)


def one_of(row: Mapping[str, Any], *names: str) -> Any:
    """The value of the first column that a row has and that is not empty; raises KeyError that names all."""
    for name in names:
        if row.get(name) not in (None, ""):
            return row[name]
    raise KeyError(" or ".join(names))

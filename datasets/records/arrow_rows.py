"""ArrowRows: rows of Arrow IPC streams and files, reached at random by the offsets of their record batches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from embodio.datasets.errors import DatasetError
from embodio.datasets.files.byte_files import ByteFile, LocalFile
from embodio.datasets.records.columns import RowRecords
from embodio.datasets.records.files.file_set import FileSet
from embodio.datasets.records.files.tables import Table, content_digest
from embodio.datasets.records.files.unpacked import ByteStream
from embodio.datasets.records.settings import Origin, RecordSettings, refuse

_MAGIC = b"ARROW1\0\0"  # how IPC files begin; a stream follows


class ArrowRows(RowRecords):
    """Rows of record batches; see `Columns` for what they mean.

    Args:
        files: Arrow IPC streams or files.
        settings: how they are read.
        labels: column -> the names of its classes.
    """

    kind = "arrow"

    def __init__(
        self, files: FileSet, settings: RecordSettings, labels: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        self._labels = dict(labels or {})
        self._schemas: dict[int, Any] = {}
        super().__init__(files, settings)

    def __getstate__(self) -> dict[str, Any]:
        """Pickles without open files."""
        return super().__getstate__() | {"_schemas": {}}

    def _table(self, number: int) -> Table:
        file = self.files.file(number)
        return self._table_of_batches(file, content_digest(file))

    def _table_of_batches(self, file: ByteFile, digest: str) -> Table:
        """What is where in an IPC stream or file."""
        batches, problem = scan_batches(file)
        table = np.array(batches, dtype=np.int64).reshape(-1, 3)
        rows = np.concatenate([[0], np.cumsum(table[:, 2])]).astype(np.int64)
        return Table({"batches": table, "rows": rows}, digest, int(rows[-1]), problem)

    def _row(self, number: int, row: int) -> tuple[Mapping[str, Any], Origin]:
        arrays = self._tables[number].arrays
        batch = int(np.searchsorted(arrays["rows"], row, side="right")) - 1
        offset, length, _ = arrays["batches"][batch].tolist()
        origin = self.origin(number, row, f"in the record batch at byte {offset}")
        file = self._opened(number)
        try:
            values = read_batch(file, offset, length, self._schema(number, file)).slice(
                row - int(arrays["rows"][batch]), 1
            )
            found = values.to_pylist()[0]
        except arrow_errors() as error:
            refuse(origin, str(error), error)
        return named_labels(found, self._labels), origin

    def _schema(self, number: int, file: ByteFile) -> Any:
        if number not in self._schemas:
            self._schemas[number] = read_schema(file)
        return self._schemas[number]


def arrow() -> Any:
    """The module pyarrow; raises DatasetError that says how to install it if it is missing."""
    try:
        import pyarrow
        import pyarrow.ipc
    except ImportError as error:
        raise DatasetError("Arrow and Parquet files need pyarrow: pip install 'embodio[records]'") from error
    return pyarrow


def arrow_errors() -> tuple[type[Exception], ...]:
    """What pyarrow raises on damaged files."""
    return (arrow().ArrowException, OSError, ValueError, KeyError, EOFError)


def open_arrow(file: ByteFile) -> Any:
    """A file as pyarrow reads it; a local one is mapped into memory."""
    if isinstance(file, LocalFile):
        return arrow().memory_map(str(file.name))
    return arrow().PythonFile(ByteStream(file), mode="r")


def read_schema(file: ByteFile) -> Any:
    """The columns of an Arrow IPC stream or file."""
    with open_arrow(file) as stream:
        stream.seek(_start(file))
        return arrow().ipc.read_schema(arrow().ipc.read_message(stream))


def read_batch(file: ByteFile, offset: int, length: int, schema: Any) -> Any:
    """One record batch; of a local file nothing but the rows that are looked at is read."""
    with open_arrow(file) if isinstance(file, LocalFile) else _part(file, offset, length) as stream:
        if isinstance(file, LocalFile):
            stream.seek(offset)
        return arrow().ipc.read_record_batch(arrow().ipc.read_message(stream), schema)


def scan_batches(file: ByteFile) -> tuple[list[tuple[int, int, int]], str]:
    """Offset, length and rows of each record batch, and what is wrong with the file.

    Raises:
        DatasetError: columns are encoded by a dictionary, which needs all of the file for one row.
    """
    ipc, found, place = arrow().ipc, list[tuple[int, int, int]](), 0
    size, _ = file.stamp()
    try:
        with open_arrow(file) as stream:
            stream.seek(_start(file))
            schema = ipc.read_schema(ipc.read_message(stream))
            if any(arrow().types.is_dictionary(field.type) for field in schema):
                raise DatasetError(f"{file.name} has columns encoded by a dictionary. Write it again without")
            place = stream.tell()
            while place < size:
                try:
                    message = ipc.read_message(stream)
                except EOFError:  # the mark of the end
                    break
                end = stream.tell()
                found.append((place, end - place, ipc.read_record_batch(message, schema).num_rows))
                place = end
    except arrow_errors() as error:
        return found, f"damaged or cut off at byte {place} of {size} ({error})"
    return found, ""


def named_labels(row: Mapping[str, Any], labels: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """The row with the names of classes in place of their numbers."""
    changed = dict(row)
    for column, names in labels.items():
        value = row.get(column)
        if isinstance(value, int) and 0 <= value < len(names):
            changed[column] = names[value]
    return changed


def label_names(features: Any) -> dict[str, tuple[str, ...]]:
    """Column -> names of its classes, of the features that Hugging Face's `datasets` describes."""
    if not isinstance(features, dict):
        return {}
    kinds = {column: kind for column, kind in features.items() if isinstance(kind, dict)}
    return {
        column: tuple(map(str, kind["names"]))
        for column, kind in kinds.items()
        if kind.get("_type") == "ClassLabel" and isinstance(kind.get("names"), list)
    }


def labels_of_schema(schema: Any) -> dict[str, tuple[str, ...]]:
    """The same of the metadata that `datasets` puts into Arrow and Parquet files."""
    try:
        return label_names(json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"])
    except (KeyError, ValueError, TypeError):
        return {}


def _start(file: ByteFile) -> int:
    return len(_MAGIC) if file.read(0, len(_MAGIC)) == _MAGIC else 0


def _part(file: ByteFile, offset: int, length: int) -> Any:
    return arrow().BufferReader(file.read(offset, length))


def rewritten(batches: Any, schema: Any, target: Path, rows: int) -> None:
    """Writes record batches to an IPC stream, with at most some rows in each."""
    with arrow().OSFile(str(target), "wb") as sink, arrow().ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            for first in range(0, batch.num_rows, rows):
                writer.write_batch(batch.slice(first, rows))

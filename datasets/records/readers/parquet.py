"""Parquet: one record a row; files with large row groups are unpacked once, because a row needs its whole group."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from embodio.datasets.files.byte_files import ByteFile, LocalFile
from embodio.datasets.records.arrow_rows import (
    ArrowRows,
    arrow,
    arrow_errors,
    labels_of_schema,
    named_labels,
    open_arrow,
    rewritten,
)
from embodio.datasets.records.files.file_set import FileSet
from embodio.datasets.records.files.tables import Table, content_digest
from embodio.datasets.records.files.unpacked import unpacked_copy
from embodio.datasets.records.opening import RecordFormat
from embodio.datasets.records.settings import Origin, RecordSettings, refuse
from embodio.model.writing import replacing

_LARGEST_GROUP = 4 << 20  # bytes of a row group that is decoded for each row
_ROWS = 64  # of a batch of an unpacked file
_KEPT = 4  # row groups in memory
_log = logging.getLogger(__name__)


class ParquetRows(ArrowRows):
    """Rows of Parquet files."""

    kind = "parquet"

    def __init__(self, files: FileSet, settings: RecordSettings) -> None:
        self._groups: dict[tuple[int, int], Any] = {}
        super().__init__(files, settings)
        self._labels = _careful(lambda: labels_of_schema(_parquet(files.file(0)).schema_arrow), {})

    def __getstate__(self) -> dict[str, Any]:
        """Pickles without open files."""
        return super().__getstate__() | {"_groups": {}}

    def _table(self, number: int) -> Table:
        file = self.files.file(number)
        digest = content_digest(file)
        try:
            metadata = _parquet(file).metadata
            groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
            counts = np.array([group.num_rows for group in groups], dtype=np.int64)
            rows = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
            if all(group.total_byte_size <= _LARGEST_GROUP for group in groups):
                return Table({"rows": rows}, digest, int(rows[-1]))
            return self._table_of_batches(self._unpacked(number), digest)
        except arrow_errors() as error:
            return Table({}, digest, 0, f"not Parquet, or damaged ({error})")

    def _file(self, number: int) -> ByteFile:
        return self._unpacked(number) if "batches" in self._tables[number].arrays else super()._file(number)

    def _row(self, number: int, row: int) -> tuple[Mapping[str, Any], Origin]:
        arrays = self._tables[number].arrays
        if "batches" in arrays:
            return super()._row(number, row)
        group = int(np.searchsorted(arrays["rows"], row, side="right")) - 1
        origin = self.origin(number, row, f"in row group {group}")
        try:
            table = self._group(number, group)
            found = table.slice(row - int(arrays["rows"][group]), 1).to_pylist()[0]
        except arrow_errors() as error:
            refuse(origin, str(error), error)
        return named_labels(found, self._labels), origin

    def _group(self, number: int, group: int) -> Any:
        """A row group; the last few are kept."""
        found = self._groups.pop((number, group), None)
        if found is None:
            found = _parquet(self.files.file(number)).read_row_group(group)
        self._groups[number, group] = found
        while len(self._groups) > _KEPT:
            self._groups.pop(next(iter(self._groups)))
        return found

    def _unpacked(self, number: int) -> ByteFile:
        """The rows in an Arrow stream of small batches, made once for each content of the file."""
        file = self.files.file(number)
        plain = unpacked_copy(file).with_suffix(".arrow")
        if not plain.is_file():
            _log.warning("%s has large row groups: it is unpacked once, to %s", file.name, plain)
            source = _parquet(file)
            schema = source.schema_arrow
            with replacing(plain, lasting=False) as temporary:
                rewritten(source.iter_batches(batch_size=_ROWS), schema, temporary, _ROWS)
        return LocalFile(plain)


def _parquet(file: ByteFile) -> Any:
    arrow()
    import pyarrow.parquet

    return pyarrow.parquet.ParquetFile(open_arrow(file), page_checksum_verification=True)


def _careful(read: Callable[[], Any], otherwise: Any) -> Any:
    try:
        return read()
    except arrow_errors():
        return otherwise


def _holds(files: FileSet) -> bool:
    return bool(files.with_suffix(".parquet", ".pq"))


def _opened(files: FileSet, settings: RecordSettings) -> ParquetRows:
    return ParquetRows(files.with_suffix(".parquet", ".pq"), settings)


READER = RecordFormat("parquet", ".parquet files", _holds, _opened)

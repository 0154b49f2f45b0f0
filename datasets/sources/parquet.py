"""Parquet files through pyarrow, with errors that name the file."""

from __future__ import annotations

import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from embodio.datasets.errors import CorruptRecordError, DatasetError

REMEDY = "Fetch the data set again"


def parquet() -> types.ModuleType:
    """pyarrow.parquet; raises DatasetError that says how to install it if it is missing."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise DatasetError("this data needs pyarrow: pip install 'pyarrow<24'") from error
    module: types.ModuleType = pyarrow.parquet
    return module


def _arrow_error() -> type[Exception]:
    """The base class of all pyarrow errors."""
    import pyarrow

    error: type[Exception] = pyarrow.ArrowException
    return error


class reading:  # noqa: N801 - used like a function, in a `with` line
    """Turns pyarrow's errors into ours."""

    def __init__(self, path: Path, record: int) -> None:
        self._path, self._record = path, record

    def __enter__(self) -> None:
        """Begins."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        """Raises CorruptRecordError for pyarrow's errors on damaged files."""
        if isinstance(error, FileNotFoundError):
            raise CorruptRecordError(self._path, self._record, "the file is missing", REMEDY) from error
        if isinstance(error, OSError | ValueError | _arrow_error()):
            raise CorruptRecordError(self._path, self._record, f"cannot be read ({error})", REMEDY) from error


def open_parquet(path: Path) -> Any:
    """An open file; raises CorruptRecordError if it is missing or damaged."""
    module = parquet()
    with reading(path, 0):
        return module.ParquetFile(path, page_checksum_verification=True)


def read_table(path: Path, keep: Callable[[str], bool] = lambda name: True) -> Any:
    """The columns of a file whose names `keep` takes; raises CorruptRecordError as `open_parquet`."""
    file = open_parquet(path)
    with reading(path, 0):
        return file.read(columns=[name for name in file.schema_arrow.names if keep(name)])

"""Pickles of recorded episodes: arrays and plain containers are read, the recorder's classes become inert records.

Classes of the program that wrote the file (which the reader does not have and does not need) are replaced by
`PickledRecord`,
which keeps its arguments and does nothing with them. Nothing in a file is run; see
`embodio.model.weights.plain_pickles`.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from embodio.datasets.errors import CorruptRecordError, DatasetError
from embodio.model.weights.plain_pickles import DAMAGE, PlainReader

_REMEDY = "Fetch the file again"
_LARGEST = 1 << 30  # bytes; far more than any episode's pickle


class UnsafePickle(DatasetError):
    """A pickle names code rather than data; it was not run."""


class PickledRecord:
    """The inert data of an unknown class in a pickle.

    Attributes:
        name: of the class.
        arguments: its constructor's arguments.
        state: the state set afterwards.
    """

    name = "?"

    def __new__(cls, *arguments: Any, **keywords: Any) -> PickledRecord:
        """Keeps the arguments."""
        record = super().__new__(cls)
        record.arguments = arguments
        record.state = keywords
        return record

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        """Does nothing."""
        self.arguments: tuple[Any, ...]
        self.state: Any

    def __setstate__(self, state: Any) -> None:
        """Keeps the state without looking into it."""
        self.state = state

    def __repr__(self) -> str:
        """Returns the class's name."""
        return f"<{self.name}>"


def read_pickle(data: bytes, path: Path, inert: tuple[str, ...]) -> Any:
    """Reads a pickle without running anything that it names.

    Args:
        data: the bytes.
        path: their origin, for errors.
        inert: top-level modules whose classes and functions become `PickledRecord`s.

    Returns:
        Plain containers, numbers, text, NumPy arrays, and Records.

    Raises:
        UnsafePickle: it names anything else.
        CorruptRecordError: it is cut off or damaged.
    """
    if len(data) > _LARGEST:
        raise CorruptRecordError(path, 0, f"a pickle of {len(data)} bytes, too large for one episode", _REMEDY)
    try:
        return _Reader(io.BytesIO(data), path, inert).read()
    except UnsafePickle:
        raise
    except DAMAGE as error:
        raise CorruptRecordError(
            path, 0, f"the pickle is damaged ({type(error).__name__}: {error})", _REMEDY
        ) from error


class _Reader(PlainReader):
    """Finds only listed classes, and makes `PickledRecord`s of inert ones."""

    def __init__(self, file: io.BytesIO, path: Path, inert: tuple[str, ...]) -> None:
        super().__init__(file)
        self._path, self._inert = path, inert

    def unlisted(self, module: str, name: str) -> Any:
        """Returns a `PickledRecord` class, or refuses."""
        if module.partition(".")[0] in self._inert:
            return type("PickledRecord", (PickledRecord,), {"name": f"{module}.{name}"})
        raise UnsafePickle(
            f"{self._path} names {module}.{name}, which is not plain data, so it was not read. "
            "Convert the file with the program that wrote it, in an environment that holds nothing of value"
        )

    def persistent_load(self, identifier: Any) -> Any:
        """Refuses references to objects outside the file."""
        raise UnsafePickle(f"{self._path} refers to the object {identifier!r} outside of it, so it was not read")

    def completed(self, value: Any, depth: int) -> Any:
        """The value with arrays and records completed."""
        if isinstance(value, PickledRecord):
            value.arguments = self.finished(value.arguments, depth + 1)
            value.state = self.finished(value.state, depth + 1)
            return value
        if isinstance(value, type) and issubclass(value, PickledRecord):
            return value()
        return super().completed(value, depth)

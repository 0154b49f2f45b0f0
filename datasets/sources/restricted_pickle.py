"""Pickles from outside: NumPy arrays and plain containers are read, anything else becomes an inert record or an error.

A pickle is a program; the usual reader runs whatever functions it names. Here only the functions that build NumPy
arrays may be called. Classes of the program that wrote the file (which the reader does not have and does not need) are
replaced by `Record`, which keeps what it is given and does nothing with it.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from embodio.datasets.errors import CorruptRecordError, DatasetError

_REMEDY = "Fetch the file again"
_DEEPEST = 50
_LARGEST = 1 << 30  # bytes; no episode's pickle comes near it


class UnsafePickle(DatasetError):
    """A pickle names something that only a program would need; it was not run."""


class Record:
    """What a class that is not known left in a pickle.

    Attributes:
        name: of the class.
        arguments: what it was made with.
        state: what was put into it afterwards.
    """

    name = "?"

    def __new__(cls, *arguments: Any, **keywords: Any) -> Record:
        """Keeps the arguments."""
        record = super().__new__(cls)
        record.arguments = arguments
        record.state = keywords
        return record

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        """Has nothing left to do."""
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
        path: where they are from, for the errors.
        inert: top-level modules whose classes and functions become `Record`s.

    Returns:
        Plain containers, numbers, text, NumPy arrays, and Records.

    Raises:
        UnsafePickle: it names anything else.
        CorruptRecordError: it is cut off or damaged.
    """
    if len(data) > _LARGEST:
        raise CorruptRecordError(path, 0, f"a pickle of {len(data)} bytes, too large for one episode", _REMEDY)
    try:
        return _finished(_Reader(io.BytesIO(data), path, inert).load())
    except UnsafePickle:
        raise
    except (
        pickle.UnpicklingError,
        EOFError,
        AttributeError,
        IndexError,
        KeyError,
        MemoryError,
        OverflowError,
        TypeError,
        ValueError,
    ) as error:
        raise CorruptRecordError(
            path, 0, f"the pickle is damaged ({type(error).__name__}: {error})", _REMEDY
        ) from error


class _DType:
    """A plain dtype: letter and size, then perhaps the byte order."""

    def __init__(self, name: Any, *_: Any) -> None:
        self.plain = np.dtype(name) if isinstance(name, str) else np.dtype(object)
        if self.plain.kind not in "biufcSU" or self.plain.fields is not None:
            raise pickle.UnpicklingError(f"arrays of {name!r}")

    def __setstate__(self, state: Any) -> None:
        """Takes the byte order; anything else in the state (fields, sub-arrays, objects) is refused."""
        if not isinstance(state, tuple) or len(state) < 5 or any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("a dtype with parts")
        self.plain = self.plain.newbyteorder(state[1]) if state[1] in ("<", ">") else self.plain


class _Array:
    """An array that is being read; `array` is it."""

    def __init__(self, *_: Any) -> None:
        self.array: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        """Takes shape, dtype, order and bytes."""
        _, shape, dtype, fortran, data = state
        if not isinstance(dtype, _DType) or not isinstance(data, bytes | bytearray):
            raise pickle.UnpicklingError("an array that does not hold plain numbers")
        array = np.frombuffer(bytes(data), dtype.plain)
        self.array = array.reshape(tuple(shape), order="F" if fortran else "C")


def _scalar(dtype: Any, data: Any = b"") -> Any:
    """One NumPy number."""
    if not isinstance(dtype, _DType) or not isinstance(data, bytes):
        raise pickle.UnpicklingError("a number of no plain type")
    return np.frombuffer(data, dtype.plain, count=1)[0]


def _encode(text: Any, encoding: Any) -> bytes:
    """Bytes as Python's older pickles hold them."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("bytes in an odd encoding")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """Empty bytes as Python's older pickles hold them."""
    return b""


def _finished(value: Any, depth: int = 0) -> Any:
    """The value with every `_Array` replaced by its array."""
    if depth > _DEEPEST:
        raise pickle.UnpicklingError("containers too deep inside each other")
    if isinstance(value, _Array):
        if value.array is None:
            raise pickle.UnpicklingError("an array without values")
        return value.array
    if isinstance(value, dict):
        return {key: _finished(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_finished(item, depth + 1) for item in value)
    if isinstance(value, Record):
        value.arguments, value.state = _finished(value.arguments, depth + 1), _finished(value.state, depth + 1)
    elif isinstance(value, type) and issubclass(value, Record):
        return value()
    elif isinstance(value, type | _DType) or callable(value):
        raise pickle.UnpicklingError("a class in the place of a value")
    return value


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DType,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): OrderedDict,
}
for _module in ("builtins", "__builtin__"):
    _ALLOWED[_module, "set"] = set
    _ALLOWED[_module, "frozenset"] = frozenset
    _ALLOWED[_module, "bytes"] = _no_bytes
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    _ALLOWED[_module, "_reconstruct"] = _Array
    _ALLOWED[_module, "scalar"] = _scalar


class _Reader(pickle.Unpickler):
    """Finds only what is listed."""

    def __init__(self, file: io.BytesIO, path: Path, inert: tuple[str, ...]) -> None:
        super().__init__(file)
        self._path, self._inert = path, inert

    def find_class(self, module: str, name: str) -> Any:
        """Returns a listed function or class, a `Record` class, or refuses."""
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        if module.partition(".")[0] in self._inert:
            return type("Record", (Record,), {"name": f"{module}.{name}"})
        raise UnsafePickle(
            f"{self._path} names {module}.{name}, which is no plain data, so it was not read. "
            "Convert the file with the program that wrote it, in an environment that holds nothing of value"
        )

    def persistent_load(self, identifier: Any) -> Any:
        """Refuses references to objects outside the file."""
        raise UnsafePickle(f"{self._path} refers to the object {identifier!r} outside of it, so it was not read")

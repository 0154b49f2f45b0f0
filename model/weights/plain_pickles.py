"""Untrusted pickles: reads NumPy arrays and plain containers without executing any content.

A pickle is a program; the usual reader runs whatever functions it names. Here only the functions that build NumPy
arrays may be named, and even those are ours: NumPy's own trust what they are given.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from typing import Any

import numpy as np

DEEPEST = 50
"""Containers inside of each other, at most."""

DAMAGE = (
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    TypeError,
    ValueError,
)
"""Errors that reading a damaged pickle may raise."""


class _DType:
    """A plain dtype: letter and size, then perhaps the byte order. `plain` is None for that of Python's objects."""

    def __init__(self, name: Any, *_: Any) -> None:
        dtype = np.dtype(name) if isinstance(name, str) else None
        self.plain = None if name in ("O", "O8") else dtype
        if dtype is None or dtype.kind not in "biufcSUO" or dtype.fields is not None:
            raise pickle.UnpicklingError(f"arrays of {name!r}")

    def __setstate__(self, state: Any) -> None:
        """Takes the byte order; anything else in the state (fields, sub-arrays) is refused."""
        if not isinstance(state, tuple) or len(state) < 5 or any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("a dtype with parts")
        if self.plain is not None and state[1] in ("<", ">"):
            self.plain = self.plain.newbyteorder(state[1])


class _Array:
    """An array that is being read; `content` is it, or the one object in it."""

    def __init__(self, *_: Any) -> None:
        self.content: Any = None

    def __setstate__(self, state: Any) -> None:
        """Takes shape, dtype, order and bytes, or the object of an array that holds one, as npz files have them."""
        _, shape, dtype, fortran, data = state
        if not isinstance(dtype, _DType):
            raise pickle.UnpicklingError("an array without a dtype")
        if dtype.plain is None:
            if shape != () or not isinstance(data, list) or len(data) != 1:
                raise pickle.UnpicklingError("an array of several objects")
            self.content = data[0]
            return
        if not isinstance(data, bytes | bytearray):
            raise pickle.UnpicklingError("an array that does not hold plain numbers")
        array = np.frombuffer(bytes(data), dtype.plain)
        self.content = array.reshape(tuple(shape), order="F" if fortran else "C")


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    """An array as Python's newest pickles hold it."""
    if not isinstance(dtype, _DType) or dtype.plain is None or not isinstance(data, bytes | bytearray):
        raise pickle.UnpicklingError("an array that does not hold plain numbers")
    return np.frombuffer(bytes(data), dtype.plain).reshape(tuple(shape), order="F" if order == "F" else "C")


def _scalar(dtype: Any, data: Any = b"") -> Any:
    """One NumPy number."""
    if not isinstance(dtype, _DType) or dtype.plain is None or not isinstance(data, bytes):
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
    _ALLOWED[_module, "bytearray"] = bytearray
for _module in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_module}.multiarray", "_reconstruct"] = _Array
    _ALLOWED[f"{_module}.multiarray", "scalar"] = _scalar
    _ALLOWED[f"{_module}.numeric", "_frombuffer"] = _from_buffer


_PLAIN = (int, float, complex, str, bytes, np.ndarray, np.generic, type(None))


class PlainReader(pickle.Unpickler):
    """Reads one pickle; `read` gives plain containers, numbers, text and NumPy arrays, or raises one of `DAMAGE`."""

    def read(self) -> Any:
        """The value."""
        self._finished: dict[int, tuple[Any, Any]] = {}  # by the address of what was read, which is kept for that
        return self.finished(self.load())

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a listed function or class."""
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        return self.unlisted(module, name)

    def unlisted(self, module: str, name: str) -> Any:
        """What stands for any other; refuses it."""
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is not plain data")

    def persistent_load(self, identifier: Any) -> Any:
        """Refuses references to objects outside the file."""
        raise pickle.UnpicklingError(f"it refers to the object {identifier!r} outside of it")

    def finished(self, value: Any, depth: int = 0) -> Any:
        """The value with every array that was being read replaced by what it became; what is there twice, once."""
        if depth > DEEPEST:
            raise pickle.UnpicklingError("containers too deep inside each other")
        if isinstance(value, _PLAIN):
            return value
        if id(value) not in self._finished:
            self._finished[id(value)] = value, self.completed(value, depth)
        return self._finished[id(value)][1]

    def completed(self, value: Any, depth: int) -> Any:
        """As `finished`, for a value that is met for the first time."""
        if isinstance(value, _Array):
            if value.content is None:
                raise pickle.UnpicklingError("an array without values")
            return self.finished(value.content, depth + 1)
        if isinstance(value, dict):
            return {key: self.finished(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.finished(item, depth + 1) for item in value)
        if isinstance(value, type | _DType) or callable(value):
            raise pickle.UnpicklingError("a class in the place of a value")
        return value

"""The message format: msgpack, with NumPy arrays as dtype, shape and bytes; reading never executes content.

A message is a map with one of the types below as "type". Arrays may hold booleans, integers, floats and complex numbers
of either byte order; objects, text and records are refused. Tuples stay tuples, NumPy scalars become 0-d arrays.

    client -> server
        hello   protocol, client, embodiment (or nil), session (or nil: a new one)
        call    id, verb, arguments, seconds (time limit of the answer); see `verbs.py`
    server -> client
        welcome protocol, session, resumed, embodiment, keys, info, limits
        answer  id, value, waited, computed (seconds)
        error   id (or nil), name, message

Requests of one client are answered in order, one at a time. A request with an id that was already answered gets the
same answer again, so requests may be repeated after the connection broke.
"""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np

from embodio.agent.client.errors import MessageError

PROTOCOL = 2
WATCH_PROTOCOL = "embodio.watch"

_ARRAY, _TUPLE = 1, 2
_MOST_NESTED_TUPLES = 4
_MOST_AXES = 16
_LONGEST_AXIS = 2**31
_MOST_CONTAINERS = 10_000
_MOST_ARRAYS = 20_000
_LONGEST_CONTAINER = 65_536
_BASES = ("i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
DTYPES = frozenset(["|b1", "|i1", "|u1"] + [order + base for order in "<>" for base in _BASES])


def pack(message: dict[str, Any]) -> bytes:
    """Packs a message into bytes.

    Raises:
        MessageError: if a value cannot be sent, such as an array of objects.
    """
    try:
        return _packed(message)
    except (ValueError, OverflowError, TypeError, RecursionError) as error:
        if isinstance(error, MessageError):
            raise
        raise MessageError(f"message: cannot be sent ({error}); send arrays, numbers and text") from error


def unpack(data: bytes) -> dict[str, Any]:
    """Unpacks a message from bytes. Its arrays own their memory and are writeable.

    Raises:
        MessageError: if the bytes are not a message: damaged, of unknown content, or too large or too deeply nested.
    """
    if not isinstance(data, bytes):
        raise MessageError("message: expected bytes, got text; messages are msgpack")
    try:
        message = _Reader().read(data)
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        if isinstance(error, MessageError):
            raise
        why = str(error) or type(error).__name__
        raise MessageError(f"message: not valid msgpack ({why}); client and server may differ in version") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise MessageError("message: expected a map with the text 'type'")
    return message


def field(message: dict[str, Any], name: str, *kinds: type) -> Any:
    """A field of a message.

    Args:
        message: the message.
        name: name of the field.
        kinds: accepted types; with `type(None)` the field may be absent.

    Raises:
        MessageError: if it is missing or has another type.
    """
    value = message.get(name)
    if isinstance(value, kinds) and not (isinstance(value, bool) and bool not in kinds):
        return value
    wanted = " or ".join(kind.__name__ for kind in kinds)
    raise MessageError(f"{message['type']}.{name}: expected {wanted}, got {type(value).__name__}")


def _packed(value: Any) -> bytes:
    data: bytes = msgpack.packb(value, default=_encode, use_bin_type=True, strict_types=True)
    return data


def _encode(value: Any) -> Any:
    """Encodes what msgpack cannot: arrays, NumPy scalars and tuples as extensions; subclasses of dict and str."""
    if isinstance(value, tuple):
        return msgpack.ExtType(_TUPLE, _packed(list(value)))
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, str):
        return str(value)
    if not isinstance(value, (np.ndarray, np.generic)):
        raise MessageError(f"message: a {type(value).__name__} cannot be sent; send arrays, numbers and text")
    array = np.asarray(value)
    if array.dtype.str not in DTYPES:
        raise MessageError(f"array: dtype {array.dtype} cannot be sent; numbers and booleans can")
    if array.ndim > _MOST_AXES:
        raise MessageError(f"array: {array.ndim} axes, at most {_MOST_AXES} can be sent")
    return msgpack.ExtType(_ARRAY, msgpack.packb([array.dtype.str, list(array.shape), array.tobytes()]))


class _Reader:
    """Reads one message within limits on containers, arrays and nesting."""

    def __init__(self) -> None:
        self._containers = self._arrays = self._depth = 0

    def read(self, data: bytes) -> Any:
        return msgpack.unpackb(
            data,
            ext_hook=self._extension,
            object_hook=self._count,
            list_hook=self._count,
            raw=False,
            strict_map_key=True,
            max_array_len=_LONGEST_CONTAINER,
            max_map_len=_LONGEST_CONTAINER,
        )

    def _count(self, value: Any) -> Any:
        self._containers += 1
        if self._containers > _MOST_CONTAINERS:
            raise MessageError(f"message: more than {_MOST_CONTAINERS} lists and maps; send numbers as arrays")
        return value

    def _extension(self, code: int, data: bytes) -> Any:
        if code == _ARRAY:
            self._arrays += 1
            if self._arrays > _MOST_ARRAYS:
                raise MessageError(f"message: more than {_MOST_ARRAYS} arrays; stack those of one kind")
            return _array(data)
        if code != _TUPLE:
            raise MessageError(f"message: unknown extension {code}; client and server may differ in version")
        if self._depth == _MOST_NESTED_TUPLES:
            raise MessageError(f"message: tuples are nested deeper than {_MOST_NESTED_TUPLES}; send lists")
        self._depth += 1
        parts = self.read(data)
        self._depth -= 1
        if not isinstance(parts, list):
            raise MessageError("tuple: expected a list")
        return tuple(parts)


def _array(data: bytes) -> np.ndarray:
    """Builds an array after validating dtype, shape and size."""
    parts = msgpack.unpackb(data, raw=False, max_array_len=_MOST_AXES, max_ext_len=0, max_map_len=0)
    if not isinstance(parts, list) or len(parts) != 3:
        raise MessageError("array: expected dtype, shape and bytes")
    dtype, shape, content = parts
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise MessageError(f"array: dtype {dtype!r} is not accepted; send numbers and booleans")
    if not isinstance(shape, list) or any(
        not isinstance(n, int) or isinstance(n, bool) or not 0 <= n < _LONGEST_AXIS for n in shape
    ):
        raise MessageError(f"array: malformed shape {shape!r}")
    size = np.dtype(dtype).itemsize
    for length in shape:
        size *= length
    if not isinstance(content, bytes) or len(content) != size:
        raise MessageError(f"array: shape {shape} of {dtype} needs {size} bytes")
    return np.frombuffer(content, dtype=dtype).reshape(shape).copy()

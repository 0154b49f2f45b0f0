"""Locations of the values in a serialised `tf.train.Example`, found without copying or converting any of them.

In the words of protobuf: Example { Features features = 1 }, Features { map<string, Feature> feature = 1 }, Feature {
oneof { BytesList = 1, FloatList = 2, Int64List = 3 } }, each list { repeated value = 1 }, numbers packed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

KINDS = ("", "bytes_list", "float_list", "int64_list")
"""Kinds of a feature's values, by field number; 0 is none."""

_FIRST = 0x0A  # field 1, of known length
_SECOND = 0x12  # field 2, of known length
_KIND_OF_TAG = {0x0A: 1, 0x12: 2, 0x1A: 3}
_FLOAT_BYTES = 4


@dataclass(frozen=True)
class Located:
    """The values of one name.

    Attributes:
        kind: index into `KINDS`.
        count: number of values.
        spans: offset and size in bytes: of every byte string, or of the one message that holds all numbers.
    """

    kind: int
    count: int
    spans: list[tuple[int, int]]


class _Unusual(Exception):
    """Bytes that no known writer produces; they may be valid or not."""


def locate(data: bytes) -> dict[str, Located] | None:
    """Finds the values of all names.

    Args:
        data: a serialised Example.

    Returns:
        Name -> where its values are; None if the bytes are laid out unusually or are not such a message, which
        the protobuf library has to decide.
    """
    try:
        return _features(data)
    except (_Unusual, IndexError, UnicodeDecodeError):
        return None


def _features(data: bytes) -> dict[str, Located]:
    if not data:
        return {}
    position, end = _inside(data, 0, len(data), _FIRST)
    if end != len(data):
        raise _Unusual
    found: dict[str, Located] = {}
    while position < end:
        entry, position = _inside(data, position, end, _FIRST)
        key, key_end = _inside(data, entry, position, _FIRST)
        value, value_end = _inside(data, key_end, position, _SECOND)
        name = data[key:key_end].decode("utf-8")
        if value_end != position or name in found:
            raise _Unusual
        found[name] = _feature(data, value, value_end)
    return found


def _feature(data: bytes, position: int, end: int) -> Located:
    if position == end:
        return Located(0, 0, [])
    tag = data[position]
    kind = _KIND_OF_TAG.get(tag, 0)
    first, last = _inside(data, position, end, tag)
    if not kind or last != end:
        raise _Unusual
    if KINDS[kind] == "bytes_list":
        spans = []
        while first < end:
            start, first = _inside(data, first, end, _FIRST)
            spans.append((start, first - start))
        return Located(kind, len(spans), spans)
    return Located(kind, _numbers(data, first, end, kind), [(first, end - first)])


def _numbers(data: bytes, first: int, end: int, kind: int) -> int:
    """The number of values in a list."""
    if first == end:
        return 0
    start, last = _inside(data, first, end, _FIRST)
    if last != end:
        raise _Unusual
    if KINDS[kind] == "float_list":
        if (end - start) % _FLOAT_BYTES:
            raise _Unusual
        return (end - start) // _FLOAT_BYTES
    packed = np.frombuffer(data, np.uint8, end - start, start)
    if len(packed) and packed[-1] >= 0x80:
        raise _Unusual
    return int(np.count_nonzero(packed < 0x80))  # the last byte of each number


def _inside(data: bytes, position: int, end: int, tag: int) -> tuple[int, int]:
    """Start and end of the content of a field that begins at `position` and must have this tag."""
    if position >= end or data[position] != tag:
        raise _Unusual
    position += 1
    size = data[position]
    position += 1
    if size >= 0x80:
        size &= 0x7F
        shift = 7
        while True:
            byte = data[position]
            position += 1
            size |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 63:
                raise _Unusual
    if position + size > end:
        raise _Unusual
    return position, position + size

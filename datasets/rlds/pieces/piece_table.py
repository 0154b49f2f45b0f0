"""PieceTable: a binary file with the location and checksum of each value of each record of a shard.

A piece is the unit of reading: one byte string (a compressed image, a text), or all numbers of one name. The table is
made while the records themselves are read and checked. It is only a cache: a table that is missing, damaged or of
another version of the shard is ignored.

Layout, little endian, each part padded to 8 bytes:
    magic (8) | uint32 bytes of the header | uint32 crc32c of all that follows | header: JSON
    kinds int8 [R, F] | first int64 [R, F] | counts int64 [R, F]
    offsets uint32 [P] | sizes uint32 [P] | crcs uint32 [P]
R records, F names, P pieces, offsets from the start of their record; a kind of -1 marks a name that a record does
not have, -2 all names of a record that must be read whole.
"""

from __future__ import annotations

import json
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import numpy.typing as npt

from embodio.datasets.rlds.pieces.example_wire import locate
from embodio.model.writing import write_cached

_MAGIC = b"EMBPIECE"
_HEAD = struct.Struct("<8sII")
ABSENT, WHOLE = -1, -2

Stamp = tuple[int, int | str]
"""Size of a shard, and a value that changes with its content."""


@dataclass(frozen=True)
class PieceTable:
    """The pieces of R records; see the module for the arrays."""

    names: tuple[str, ...]
    kinds: npt.NDArray[np.int8]
    first: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.uint32]
    sizes: npt.NDArray[np.uint32]
    crcs: npt.NDArray[np.uint32]

    def save(self, path: Path, stamp: Stamp) -> None:
        """Writes the file atomically; a folder that cannot be written does without."""
        header = {
            "stamp": list(stamp),
            "names": list(self.names),
            "records": len(self.kinds),
            "pieces": len(self.offsets),
        }
        content = _padded(json.dumps(header).encode())
        size = len(content)
        content += b"".join(_padded(array.tobytes()) for array in self._arrays())
        write_cached(path, _HEAD.pack(_MAGIC, size, google_crc32c.value(content)) + content)

    @classmethod
    def load(cls, path: Path, stamp: Stamp, records: int) -> PieceTable | None:
        """Opens the file without copying it into memory; None if it cannot be used.

        Args:
            path: of the table.
            stamp: of the shard as it is now.
            records: number of its records.
        """
        try:
            with path.open("rb") as file:
                memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):  # not there, or empty
            return None
        content = np.frombuffer(memory, np.uint8)
        if len(content) < _HEAD.size:
            return None
        magic, size, crc = _HEAD.unpack(memory[: _HEAD.size])
        if magic != _MAGIC or google_crc32c.value(content[_HEAD.size :]) != crc:
            return None
        header = json.loads(memory[_HEAD.size : _HEAD.size + size])
        if header["stamp"] != list(stamp) or header["records"] != records:
            return None
        return cls._of(content[_HEAD.size + size :], header)

    @classmethod
    def _of(cls, content: npt.NDArray[np.uint8], header: dict[str, Any]) -> PieceTable:
        names, records, pieces = tuple(header["names"]), header["records"], header["pieces"]
        arrays: list[Any] = []
        place = 0
        for dtype, shape in _parts(records, len(names), pieces):
            size = int(np.prod(shape)) * np.dtype(dtype).itemsize
            arrays.append(content[place : place + size].view(dtype).reshape(shape))
            place += _round_up(size)
        return cls(names, *arrays)

    def _arrays(self) -> tuple[npt.NDArray[Any], ...]:
        return self.kinds, self.first, self.counts, self.offsets, self.sizes, self.crcs


class PieceTableBuilder:
    """Collects the pieces of the records of a shard, in their order."""

    def __init__(self) -> None:
        self._names: dict[str, int] = {}
        self._rows: list[dict[int, tuple[int, int, int]] | None] = []
        self._offsets: list[int] = []
        self._sizes: list[int] = []
        self._crcs: list[int] = []

    def add(self, record: bytes | None) -> None:
        """Adds a record whose own checksum was right; None for a damaged one."""
        found = None if record is None else locate(record)
        if record is None or not found:
            self._rows.append(None)
            return
        row: dict[int, tuple[int, int, int]] = {}
        for name, located in found.items():
            number = self._names.setdefault(name, len(self._names))
            row[number] = (located.kind, len(self._offsets), located.count)
            for start, size in located.spans:
                self._offsets.append(start)
                self._sizes.append(size)
                self._crcs.append(google_crc32c.value(record[start : start + size]))
        self._rows.append(row)

    def build(self) -> PieceTable:
        """The table of the added records."""
        shape = (len(self._rows), len(self._names))
        kinds = np.full(shape, ABSENT, np.int8)
        first, counts = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for record, row in enumerate(self._rows):
            if row is None:
                kinds[record] = WHOLE
                continue
            for number, values in row.items():
                kinds[record, number], first[record, number], counts[record, number] = values
        return PieceTable(
            tuple(self._names),
            kinds,
            first,
            counts,
            np.array(self._offsets, np.uint32),
            np.array(self._sizes, np.uint32),
            np.array(self._crcs, np.uint32),
        )


def _parts(records: int, names: int, pieces: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
    table = (records, names)
    return (
        ("<i1", table),
        ("<i8", table),
        ("<i8", table),
        ("<u4", (pieces,)),
        ("<u4", (pieces,)),
        ("<u4", (pieces,)),
    )


def _round_up(size: int) -> int:
    return -(-size // 8) * 8


def _padded(content: bytes) -> bytes:
    return content.ljust(_round_up(len(content)))

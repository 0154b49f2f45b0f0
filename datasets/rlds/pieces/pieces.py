"""PiecedExample: the values of one record, each read from the file on demand and checked every time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import overload

import google_crc32c
import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import FeatureError
from embodio.datasets.rlds.example_proto import DecodedExample, decode_integers
from embodio.datasets.rlds.pieces.example_wire import KINDS
from embodio.datasets.rlds.pieces.piece_table import ABSENT, WHOLE, PieceTable

_FLOAT_BYTES = 4
_crc = google_crc32c.value


class PiecedExample:
    """The values of one record; a value costs one read of its own bytes, wherever in the record it is.

    A piece with a wrong checksum is looked up in the whole record, whose own checksum then tells whether the record or
    the table is damaged; a damaged table is ignored.
    """

    def __init__(
        self, table: PieceTable, record: int, read: Callable[[int, int], bytes], whole: Callable[[], bytes]
    ) -> None:
        """Reads nothing yet.

        Args:
            table: where the pieces are.
            record: number of a record in the table.
            read: reads a number of bytes of the record from an offset.
            whole: reads the whole record; raises CorruptRecordError if it is damaged.
        """
        self._read, self._whole = read, whole
        self._offsets, self._sizes, self._crcs = table.offsets.item, table.sizes.item, table.crcs.item
        self._fields = fields_of(table, record)
        self._decoded: DecodedExample | None = None

    def names(self) -> list[str]:
        """Returns the names of all values, sorted."""
        return sorted(self._fields)

    def count(self, name: str, kind: str) -> int:
        """Returns the number of values called `name`; raises FeatureError as `blobs` does."""
        return self._field(name, kind)[2]

    def blobs(self, name: str) -> Sequence[bytes]:
        """The byte strings called `name`, each read on demand; raises FeatureError as `DecodedExample`."""
        kind, first, count = self._field(name, "bytes_list")
        return _Blobs(self, name, first, count) if kind else ()

    def floats(self, name: str) -> npt.NDArray[np.float32]:
        """Returns the numbers called `name`, float32 [N]; raises FeatureError as `blobs` does."""
        kind, first, count = self._field(name, "float_list")
        if not kind:
            return np.zeros(0, np.float32)
        data = self.piece(first)
        if data is None:
            return self.decoded().floats(name)
        return np.frombuffer(data, "<f4", count, len(data) - _FLOAT_BYTES * count)

    def integers(self, name: str) -> npt.NDArray[np.int64]:
        """Returns the whole numbers called `name`, int64 [N]; raises FeatureError as `blobs` does."""
        kind, first, _ = self._field(name, "int64_list")
        if not kind:
            return np.zeros(0, np.int64)
        data = self.piece(first)
        return self.decoded().integers(name) if data is None else decode_integers(data)

    def piece(self, number: int) -> bytes | None:
        """The bytes of a piece of the table; None if their checksum is wrong."""
        data = self._read(self._offsets(number), self._sizes(number))
        return data if _crc(data) == self._crcs(number) else None

    def decoded(self) -> DecodedExample:
        """The whole record; raises CorruptRecordError if it is damaged."""
        if self._decoded is None:
            self._decoded = DecodedExample(self._whole())
        return self._decoded

    def _field(self, name: str, kind: str) -> tuple[int, int, int]:
        field = self._fields.get(name)
        if field is None:
            raise FeatureError(f"the record has no {name!r}; it has {', '.join(self.names())}")
        found = KINDS[field[0]]
        if found and found != kind:
            raise FeatureError(f"{name} is stored as {found}, not as {kind}. Its features.json does not belong to it")
        return field


def knows(table: PieceTable, record: int) -> bool:
    """Whether a record can be read in pieces."""
    return bool(table.names) and table.kinds.item(record, 0) != WHOLE


def fields_of(table: PieceTable, record: int) -> dict[str, tuple[int, int, int]]:
    """Name -> kind (index into `example_wire.KINDS`), number of its first piece, number of its values."""
    rows = zip(
        table.names,
        table.kinds[record].tolist(),
        table.first[record].tolist(),
        table.counts[record].tolist(),
        strict=True,
    )
    return {name: (kind, first, count) for name, kind, first, count in rows if kind != ABSENT}


class _Blobs(Sequence[bytes]):
    """Byte strings of one name."""

    def __init__(self, example: PiecedExample, name: str, first: int, count: int) -> None:
        self._example, self._name, self._first, self._count = example, name, first, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(self._count))]
        if not 0 <= place < self._count:
            if not -self._count <= place < 0:
                raise IndexError(f"value {place} of {self._count}")
            place += self._count
        data = self._example.piece(self._first + place)
        return self._example.decoded().blobs(self._name)[place] if data is None else data

    def __iter__(self) -> Iterator[bytes]:
        return (self[place] for place in range(self._count))

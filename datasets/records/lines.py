"""LineRecords: records that are lines or pieces of text files, plain or compressed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import CorruptRecordError
from embodio.datasets.files.byte_files import ByteFile
from embodio.datasets.records.file_records import FileRecords, content, hash_of
from embodio.datasets.records.files.tables import Table
from embodio.datasets.records.files.unpacked import blocks, plain_file

Ints = npt.NDArray[np.int64]
_BOM = b"\xef\xbb\xbf"


class LineRecords(FileRecords):
    """Records that are ranges of bytes; blank lines are none."""

    def _table(self, number: int) -> Table:
        file, problem = plain_file(self.files.file(number))
        total = hashlib.sha256()
        spans = self._spans(file, total)
        arrays: dict[str, npt.NDArray[np.int64]] = {"spans": spans}
        if self.settings.duplicates == "drop":
            arrays["hashes"] = np.array([hash_of(content(file, [span])) for span in spans.tolist()], np.int64)
        return Table(arrays, total.hexdigest(), len(spans), problem)

    def _spans(self, file: ByteFile, total: hashlib._Hash) -> Ints:
        """Offset and length of each record, int64 [N, 2]; the content is added to a hash."""
        return line_spans(_hashed(file, total))

    def _text(self, number: int, row: int) -> str:
        """The text of a record; raises CorruptRecordError."""
        start, size = self._tables[number].arrays["spans"][row].tolist()
        origin = self.origin(number, row, f"at byte {start}")
        data = self._bytes(number, origin, start, size)
        try:
            return data.removeprefix(_BOM).decode("utf-8")
        except UnicodeDecodeError as error:
            problem = f"at byte {start + error.start}: not text in UTF-8 ({error.reason})"
            raise CorruptRecordError(origin.path, row, problem, "Convert the file to UTF-8") from error

    def _file(self, number: int) -> ByteFile:
        return plain_file(super()._file(number))[0]


def _hashed(file: ByteFile, total: hashlib._Hash) -> Iterator[bytes]:
    for block in blocks(file):
        total.update(block)
        yield block


def line_spans(content: Iterator[bytes]) -> Ints:
    r"""Offset and length of each line that is not blank, int64 [N, 2], without its end.

    Args:
        content: of a file, in blocks of any size; lines end with "\\n" or "\\r\\n".
    """
    breaks, inked, place, ink = list[Ints](), list[Ints](), 0, 0
    for block in content:
        array = np.frombuffer(block, np.uint8)
        ends = np.flatnonzero(array == ord("\n"))
        seen = np.cumsum(array > ord(" "), dtype=np.int64)
        breaks.append(ends + place)
        inked.append(seen[ends] + ink)
        place, ink = place + len(block), ink + int(seen[-1])
    stops = np.concatenate([*breaks, [place]]).astype(np.int64)
    starts = np.concatenate([[0], stops[:-1] + 1]).astype(np.int64)
    written = np.diff(np.concatenate([[0], *inked, [ink]]))
    return np.stack([starts, stops - starts], axis=1)[written > 0].astype(np.int64)

"""Plain text, also compressed by gzip or zstd: each line, piece or file is a record."""

from __future__ import annotations

import hashlib

import numpy as np

from embodio.datasets.files.byte_files import ByteFile
from embodio.datasets.records.files.file_set import FileSet, plain_name
from embodio.datasets.records.files.unpacked import blocks
from embodio.datasets.records.lines import Ints, LineRecords
from embodio.datasets.records.opening import RecordFormat
from embodio.datasets.records.record import Record

_SUFFIXES = (".txt", ".text", ".md", ".rst")
_BREAKS = (b"\n\n", b"\n", b". ", b" ")  # where pieces end, best first


class TextRecords(LineRecords):
    """Texts; the key of a record is the file and the number of the record in it."""

    kind = "text"

    def _table_kind(self) -> str:
        pieces = f" {self.settings.piece_bytes}" if self.settings.unit == "piece" else ""
        return f"{super()._table_kind()} {self.settings.unit}{pieces}"

    def _spans(self, file: ByteFile, total: hashlib._Hash) -> Ints:
        if self.settings.unit == "line":
            return super()._spans(file, total)
        pieces, place, rest = list[tuple[int, int]](), 0, b""
        longest = self.settings.piece_bytes
        for block in blocks(file):
            total.update(block)
            if self.settings.unit == "file":
                place += len(block)
                continue
            data, at = rest + block, 0
            while len(data) - at > longest:
                size = piece_end(data[at : at + longest])
                pieces.append((place, size))
                place, at = place + size, at + size
            rest = data[at:]
        pieces.append((0, place) if self.settings.unit == "file" else (place, len(rest)))
        return np.array([piece for piece in pieces if piece[1]], dtype=np.int64).reshape(-1, 2)

    def _read(self, number: int, row: int) -> Record:
        return Record(key=f"{self.files.names[number]}#{row}", text=self._text(number, row).strip())


def piece_end(data: bytes) -> int:
    """Where the first piece of a text ends that goes on behind `data`.

    It is behind the last paragraph of the second half, else the last line, sentence or word; else between characters.
    """
    for mark in _BREAKS:
        found = data.rfind(mark, len(data) // 2)
        if found >= 0:
            return found + len(mark)
    last = len(data) - 1
    while last > max(0, len(data) - 4) and data[last] & 0xC0 == 0x80:
        last -= 1
    lead = data[last]
    size = 4 if lead >= 0xF0 else 3 if lead >= 0xE0 else 2 if lead >= 0xC0 else 1
    return len(data) if last + size <= len(data) else max(1, last)


def _holds(files: FileSet) -> bool:
    return all(plain_name(name).endswith(_SUFFIXES) for name in files.names)


READER = RecordFormat("text", "only .txt, .md or .rst, also .gz and .zst", _holds, TextRecords)

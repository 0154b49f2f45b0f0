"""Several JPEGs as one tall JPEG: frames of a camera below each other, decoded in one go to the same pixels as alone.

A restart marker in a scan does what a new file does: it fills up the last byte and sets the predictions of the next
block to zero (ITU-T T.81, E.1.4). So scans that were coded with the same tables can stand one after the other, such
markers between them, and the number of blocks from one to the next in the header (DRI, B.2.4.4). What would then be
read otherwise than alone is left alone, such as damaged files, and colours at half the vertical resolution, which are
enlarged with a look at the rows of the neighbour.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

_START, _END = b"\xff\xd8", b"\xff\xd9"
_BASELINE, _SCAN = 0xC0, 0xDA
_HARMLESS = {0xC4, 0xDB, 0xFE, *range(0xE0, 0xF0)}  # tables, and what is no part of the picture
_RESTARTS = tuple(bytes((0xFF, 0xD0 + number)) for number in range(8))
_BLOCK = 8
_MOST_ROWS = 65_500  # of a picture; libjpeg reads no taller one
_MOST_BLOCKS = 65_535  # between two restarts


def runs(frames: Sequence[bytes], shape: tuple[int, ...]) -> Iterator[tuple[range, bytes | None]]:
    """Sorts frames into runs that are decoded together, in order.

    Args:
        frames: bytes that should be JPEG files.
        shape: height and width in pixels of each, and 3.

    Yields:
        The numbers of some frames, and one JPEG of all of them below each other; None where each must be decoded alone.
    """
    start = 0
    while start < len(frames):
        header = _Header.of(frames[start])
        stop = start + 1
        if header is not None:
            most = len(frames) if header.most is None else start + header.most
            while stop < min(most, len(frames)) and frames[stop].startswith(header.data):
                stop += 1
        joinable = header is not None and header.most is not None and (header.height, header.width, 3) == shape
        yield range(start, stop), header.joined(frames[start:stop]) if header and joinable else None
        start = stop


@dataclass(frozen=True)
class _Header:
    """Everything of a JPEG file up to the data of its first scan.

    Attributes:
        data: those bytes.
        height: of the picture in pixels.
        width: of the picture in pixels.
        blocks: how many groups of blocks the scan consists of ("MCU").
        frame: where the height and the width are described.
        scan: where the description of the scan begins.
        most: how many such pictures fit into one; None if they cannot be joined.
    """

    data: bytes
    height: int
    width: int
    blocks: int
    frame: int
    scan: int
    most: int | None

    @classmethod
    def of(cls, file: bytes) -> _Header | None:
        """Reads the header; None where it is no such file, or an unusual one."""
        try:
            return cls._read(file)
        except (IndexError, struct.error):  # the file ends inside it
            return None

    @classmethod
    def _read(cls, file: bytes) -> _Header | None:
        if not file.startswith(_START):
            return None
        place, frame, usual = len(_START), 0, True
        while True:
            prefix, marker, size = struct.unpack_from(">BBH", file, place)
            if prefix != 0xFF or marker < 0xC0:
                return None
            if marker == _SCAN:
                break
            if marker == _BASELINE and not frame:
                frame = place
            elif marker not in _HARMLESS:
                usual = False
            place += 2 + size
        data = file[: place + 2 + size]
        bits, height, width, parts = struct.unpack_from(">BHHB", file, frame + 4)
        factors = [divmod(file[frame + 11 + 3 * part], 16) for part in range(parts)]
        across = max(factor for factor, _ in factors)
        blocks = -(-width // (_BLOCK * across)) * (height // _BLOCK)
        alone = (
            not usual
            or not frame
            or bits != 8
            or parts not in (1, 3)
            or data[place + 4] != parts
            or any(down != 1 for _, down in factors)
            or (parts == 1 and across != 1)
            or height % _BLOCK
            or not 0 < blocks <= _MOST_BLOCKS
        )
        return cls(data, height, width, blocks, frame, place, None if alone else max(1, _MOST_ROWS // height))

    def joined(self, frames: Sequence[bytes]) -> bytes | None:
        """One JPEG of frames that begin with this header; None where that would not be read as each of them alone."""
        if len(frames) < 2:
            return None
        data, place = self.data, self.frame + 5
        height = struct.pack(">H", self.height * len(frames))
        interval = struct.pack(">HHH", 0xFFDD, 4, self.blocks)
        parts = [data[:place], height, data[place + 2 : self.scan], interval, data[self.scan :]]
        for number, frame in enumerate(frames):
            if not frame.endswith(_END):
                return None
            parts += (frame[len(data) : -2], _RESTARTS[number % 8])
        parts[-1] = _END
        tall = b"".join(parts)
        scan = np.frombuffer(tall, np.uint8, offset=len(self.data) + len(interval))
        markers = np.count_nonzero((scan[:-1] == 0xFF) & (scan[1:] != 0))
        return tall if markers == len(frames) else None  # any other marker has a meaning, or is damage

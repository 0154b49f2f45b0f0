"""TFRecord framing: each record is its length, a checksum of the length, the payload, a checksum of the payload.

Layout of one record, little endian:
    uint64 length | uint32 masked crc32c(length) | payload | uint32 masked crc32c(payload)
"""

from __future__ import annotations

import math
import struct

import google_crc32c
import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import CorruptRecordError
from embodio.datasets.files.byte_files import Ahead, ByteFile

HEADER_BYTES = 12
FOOTER_BYTES = 4
_MASK_DELTA = 0xA282EAD8
_REMEDY = "Fetch the file again, or collect it again"


def masked_crc32c(data: bytes) -> int:
    """Returns the CRC-32C of `data`, rotated and shifted as the TFRecord format asks."""
    crc: int = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def frame(payload: bytes) -> bytes:
    """Returns `payload` as one framed record."""
    length = struct.pack("<Q", len(payload))
    return b"".join(
        (length, struct.pack("<I", masked_crc32c(length)), payload, struct.pack("<I", masked_crc32c(payload)))
    )


def scan(file: ByteFile, *, unfinished: bool = False) -> npt.NDArray[np.int64]:
    """Finds all records of a file by their headers, without reading large payloads.

    Args:
        file: a TFRecord file.
        unfinished: whether the file may end inside a record, which is then left out.

    Returns:
        int64 [N, 2]: offset and length in bytes of each payload.

    Raises:
        CorruptRecordError: a header is damaged, or the file ends inside a record.
        DatasetError: the file cannot be read.
    """
    spans: list[tuple[int, int]] = []
    size, _ = file.stamp()
    ahead, offset = Ahead(file), 0
    while offset < size:
        header = ahead.read(offset, HEADER_BYTES)
        if unfinished and _end_of(header, offset) > size:
            break
        if len(header) < HEADER_BYTES:
            raise CorruptRecordError(file.name, len(spans), "the file ends inside the header", _REMEDY)
        length, crc = struct.unpack("<QI", header)
        if masked_crc32c(header[:8]) != crc:
            raise CorruptRecordError(file.name, len(spans), "the checksum of the length is wrong", _REMEDY)
        end = offset + HEADER_BYTES + length + FOOTER_BYTES
        if end > size:
            raise CorruptRecordError(file.name, len(spans), f"the file ends {end - size} bytes too early", _REMEDY)
        spans.append((offset + HEADER_BYTES, length))
        offset = end
    return np.array(spans, dtype=np.int64).reshape(-1, 2)


def _end_of(header: bytes, offset: int) -> float:
    """Where a record ends; infinity where its header is cut off."""
    if len(header) < HEADER_BYTES:
        return math.inf
    return offset + HEADER_BYTES + int(struct.unpack("<Q", header[:8])[0]) + FOOTER_BYTES


def read_payload(file: ByteFile, record: int, offset: int, length: int) -> bytes:
    """Reads one payload and checks it.

    Args:
        file: a TFRecord file.
        record: index of the record in the file, for the error.
        offset: where the payload starts, in bytes.
        length: its size, in bytes.

    Returns:
        The payload.

    Raises:
        CorruptRecordError: the payload is cut off or its checksum is wrong.
        DatasetError: the file cannot be read.
    """
    data = file.read(offset, length + FOOTER_BYTES)
    if len(data) < length + FOOTER_BYTES:
        raise CorruptRecordError(file.name, record, "the file ends inside the record", _REMEDY)
    payload = data[:length]
    if masked_crc32c(payload) != struct.unpack("<I", data[length:])[0]:
        raise CorruptRecordError(file.name, record, "the checksum of the payload is wrong", _REMEDY)
    return payload

"""The checksums of a PNG file, which decoders skip: what they make of a damaged one looks like an image."""

from __future__ import annotations

import struct
import zlib

from embodio.datasets.errors import FeatureError

PNG = b"\x89PNG\r\n\x1a\n"  # how such files begin
_HEAD = struct.Struct(">I4s")
_CRC = struct.Struct(">I")


def require_whole_png(data: bytes) -> None:
    """Checks every chunk up to the last one, IEND; raises FeatureError where one is damaged or missing."""
    memory, place, kind = memoryview(data), len(PNG), b""
    while kind != b"IEND":
        if place + _HEAD.size + _CRC.size > len(data):
            raise FeatureError(f"a PNG image that ends after {len(data)} bytes, too early. Fetch the data again")
        size, kind = _HEAD.unpack_from(data, place)
        end = place + _HEAD.size + size
        if end + _CRC.size > len(data) or zlib.crc32(memory[place + 4 : end]) != _CRC.unpack_from(data, end)[0]:
            raise FeatureError(f"a PNG image that is damaged or cut off at byte {place}. Fetch the data again")
        place = end + _CRC.size

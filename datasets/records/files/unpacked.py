"""Compressed files: unpacked once into the user's cache folder, as gzip and zstd are not readable at random."""

from __future__ import annotations

import gzip
import hashlib
import io
import logging
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from embodio.datasets.errors import DatasetError
from embodio.datasets.files.byte_files import ByteFile, LocalFile
from embodio.datasets.files.remote import cache_folder
from embodio.datasets.files.sealed_json import sealed, unsealed
from embodio.model.writing import WriteError, replacing, write_cached, write_errors

_PIECE = 1 << 20
_STEP = 1 << 16  # bytes; the step in which the damage is is lost
_log = logging.getLogger(__name__)


class ByteStream(io.RawIOBase):
    """A `ByteFile` as a file object that reads and seeks."""

    def __init__(self, file: ByteFile) -> None:
        super().__init__()
        self._file, self._place, self._size = file, 0, file.stamp()[0]

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to a place, see `io.IOBase.seek`."""
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        return self._place

    def tell(self) -> int:
        """The place of the next byte."""
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Reads into a buffer; returns the number of bytes."""
        data = self._file.read(self._place, len(buffer))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)


def blocks(file: ByteFile, size: int = 4 * _PIECE) -> Iterator[bytes]:
    """The content of a file, a block at a time."""
    place = 0
    while block := file.read(place, size):
        yield block
        place += len(block)


def is_packed(name: str) -> bool:
    """Whether a file is compressed by gzip or zstd, going by its name."""
    return name.lower().endswith((".gz", ".tgz", ".zst"))


def plain_file(file: ByteFile) -> tuple[ByteFile, str]:
    """A file that can be read at random: itself, or its unpacked copy, which is made once for each content.

    Of a damaged file, what comes before the damage is there.

    Returns:
        The file, and what is wrong with the original; "" for nothing.

    Raises:
        DatasetError: zstd is not available, or the disk is full.
    """
    if not is_packed(str(file.name)):
        return file, ""
    plain = unpacked_copy(file)
    facts = plain.with_suffix(".json")
    known = unsealed(facts.read_bytes()) if facts.is_file() else None
    if plain.is_file() and isinstance(known, dict) and known.get("size") == plain.stat().st_size:
        return LocalFile(plain), str(known["problem"])
    _log.warning("%s is compressed: it is unpacked once, to %s", file.name, plain)
    with replacing(plain, lasting=False) as temporary:
        problem = _unpack(file, temporary)
    write_cached(facts, sealed({"size": plain.stat().st_size, "problem": problem}).encode())
    return LocalFile(plain), problem


def unpacked_copy(file: ByteFile) -> Path:
    """Where the unpacked copy of a file is, or will be; another content has another place."""
    key = hashlib.sha256(f"{file.name} {file.stamp()}".encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return cache_folder("records", "unpacked") / key


def _unpack(file: ByteFile, plain: Path) -> str:
    """Writes the content; returns what stopped it before the end."""
    opener, errors = _opener(str(file.name).lower())
    written = 0
    with plain.open("wb") as target:
        try:
            with opener(io.BufferedReader(ByteStream(file), _PIECE)) as source:
                while piece := source.read1(_STEP):
                    with write_errors(plain):
                        target.write(piece)
                    written += len(piece)
        except WriteError:
            raise
        except errors as error:
            return f"the compressed file is damaged or cut off after {written} bytes of content ({error})"
    return ""


def _opener(name: str) -> tuple[Callable[[io.BufferedReader], Any], tuple[type[Exception], ...]]:
    """A function that unpacks a stream, and the errors that it raises on damage."""
    if not name.endswith(".zst"):
        return lambda stream: gzip.open(stream, "rb"), (EOFError, zlib.error, gzip.BadGzipFile)
    try:
        import pyarrow
    except ImportError as error:
        raise DatasetError(f"{name} needs pyarrow: pip install 'embodio[records]'") from error
    return lambda stream: pyarrow.CompressedInputStream(stream, "zstd"), (OSError, pyarrow.ArrowException)

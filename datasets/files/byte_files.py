"""Random access to files, on this machine or behind a URL that fsspec knows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

from embodio.datasets.errors import DatasetError
from embodio.datasets.files.names import inside, relative
from embodio.datasets.files.remote import file_system, network_errors, trying_again

# Servers' names for a version of a file.
_MARKS = ("etag", "ETag", "md5Hash", "mtime", "LastModified", "last_modified", "created")


class ByteFile(Protocol):
    """A file. It can be pickled and forked; a copy opens its own file.

    Attributes:
        name: for errors.
        block: the best number of bytes for a small read.
    """

    block: int

    @property
    def name(self) -> Path | str:
        """Path or URL."""

    def stamp(self) -> tuple[int, int | str]:
        """Size in bytes, and a value that changes with the content; raises DatasetError if it is missing."""

    def read(self, offset: int, length: int) -> bytes:
        """The bytes from `offset` on, fewer than `length` only at the end of the file."""

    def close(self) -> None:
        """Closes the file; it opens again when it is needed."""


def byte_file(folder: Path | str, name: str) -> ByteFile:
    """A file of a folder, which is a path or a URL; nothing is opened yet. Raises UnsafeName as `inside`."""
    if isinstance(folder, str):
        return RemoteFile(f"{folder}/{relative(name, folder)}")
    return LocalFile(inside(folder, name, folder))


class LocalFile:
    """A file on this machine, read at absolute positions, so that threads and forks may share it."""

    block = 1 << 12

    def __init__(self, name: Path) -> None:
        self.name = name
        self._descriptor: int | None = None

    def stamp(self) -> tuple[int, int | str]:
        """Size in bytes and time of the last change; raises DatasetError if it is missing."""
        try:
            status = self.name.stat()
        except OSError as error:
            raise DatasetError(f"{self.name} is missing. Fetch it, or collect the data set again") from error
        return status.st_size, status.st_mtime_ns

    def read(self, offset: int, length: int) -> bytes:
        """The bytes from `offset` on; raises DatasetError if the file cannot be read."""
        descriptor = self._descriptor
        try:
            return os.pread(self._open() if descriptor is None else descriptor, length, offset)
        except OSError as error:
            raise DatasetError(f"{self.name} cannot be read ({error}). Fetch it again") from error

    def close(self) -> None:
        """Closes the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __del__(self) -> None:
        """Closes the file."""
        if "_descriptor" in self.__dict__:
            self.close()

    def __getstate__(self) -> dict[str, Any]:
        """Pickles without the open file."""
        return self.__dict__ | {"_descriptor": None}

    def _open(self) -> int:
        descriptor = os.open(self.name, os.O_RDONLY)
        if self._descriptor is not None:  # another thread was faster
            os.close(descriptor)
            return self._descriptor
        self._descriptor = descriptor
        return descriptor


class RemoteFile:
    """A file behind a URL: each read is one request for a range of bytes, so there is nothing to keep open."""

    block = 1 << 16

    def __init__(self, name: str) -> None:
        self.name = name

    def stamp(self) -> tuple[int, int | str]:
        """Size in bytes and the server's version; raises DatasetError if it is missing."""
        system, path = file_system(self.name)
        try:
            info = trying_again(lambda: system.info(path))
        except network_errors() as error:
            raise DatasetError(f"{self.name} cannot be reached ({error}). Check the address, or fetch it") from error
        if not isinstance(info.get("size"), int):
            raise DatasetError(f"{self.name}: the server does not say how large it is. Fetch it, then give the folder")
        return info["size"], str(next((info[key] for key in _MARKS if info.get(key)), ""))

    def read(self, offset: int, length: int) -> bytes:
        """The bytes from `offset` on; raises DatasetError if the server fails three times, or sends another range."""
        system, path = file_system(self.name)
        try:
            data: bytes = trying_again(lambda: system.cat_file(path, start=offset, end=offset + length))
        except network_errors() as error:
            raise DatasetError(
                f"{self.name} cannot be read at {offset} ({error}). Check the connection, or fetch the data set"
            ) from error
        if len(data) > length:
            raise DatasetError(f"{self.name}: the server sends no parts of files. Fetch the data set")
        return data

    def close(self) -> None:
        """Does nothing: no file stays open."""


class Ahead:
    """Small sequential reads of a file in blocks: few requests for small records."""

    def __init__(self, file: ByteFile) -> None:
        self._file = file
        self._start, self._block = 0, b""

    def read(self, offset: int, length: int) -> bytes:
        """As `ByteFile.read`, for less than a block."""
        if not self._start <= offset <= offset + length <= self._start + len(self._block):
            self._start, self._block = offset, self._file.read(offset, self._file.block)
        return self._block[offset - self._start :][:length]

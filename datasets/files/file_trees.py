"""Named files inside a folder, a tar or a zip, read individually without unpacking the rest."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import logging
import lzma
import os
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any, Protocol

from embodio.datasets.errors import CorruptRecordError, DatasetError
from embodio.datasets.files.names import inside
from embodio.datasets.files.remote import cache_folder
from embodio.model.writing import WriteError, replacing, write_errors

_COMPRESSED = (".tar.xz", ".tar.gz", ".tar.bz2", ".txz", ".tgz")
_ARCHIVES = (".tar", ".zip", *_COMPRESSED)
_REMEDY = "Fetch the file again"
_LARGEST = 1 << 30  # bytes; far more than any file of an episode, but a small zip can hold it
# RuntimeError: encrypted, or compressed by an unknown method.
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError)
_log = logging.getLogger(__name__)


class FileTree(Protocol):
    """Named files. It can be pickled; a copy opens its own files."""

    path: Path

    def names(self) -> list[str]:
        """All files, with slashes between folders."""

    def read(self, name: str) -> bytes:
        """The content of one; raises CorruptRecordError if it is not there or damaged."""

    def close(self) -> None:
        """Closes files; reopened when needed."""


def is_archive(path: Path) -> bool:
    """Whether the name is a tar's or a zip's."""
    return path.name.lower().endswith(_ARCHIVES)


def open_tree(path: str | Path) -> FileTree:
    """Opens a folder, tar or zip. A compressed tar is unpacked once to a plain one in the user's cache folder.

    Raises:
        DatasetError: there is no such file or folder, or it is of another kind.
        CorruptRecordError: the archive is damaged or cut off.
    """
    path = Path(path)
    name = path.name.lower()
    if path.is_dir():
        return FolderTree(path)
    if not path.is_file():
        raise DatasetError(f"{path}: there is no such file or folder")
    if name.endswith(".zip"):
        return ZipTree(path)
    if name.endswith(".tar"):
        return TarTree(path)
    if name.endswith(_COMPRESSED):
        return TarTree(_plain_tar(path))
    raise DatasetError(f"{path} is neither a folder nor one of {', '.join(_ARCHIVES)}")


class FolderTree:
    """A folder."""

    def __init__(self, path: Path) -> None:
        """Takes the folder."""
        self.path = path

    def names(self) -> list[str]:
        """All files below the folder."""
        return [file.relative_to(self.path).as_posix() for file in self.path.rglob("*") if file.is_file()]

    def read(self, name: str) -> bytes:
        """The content of one file; raises UnsafeName if its name, or a link, leads outside of the folder."""
        try:
            return inside(self.path, name, self.path).read_bytes()
        except OSError as error:
            raise CorruptRecordError(self.path / name, 0, f"cannot be read ({error})", _REMEDY) from error

    def close(self) -> None:
        """Does nothing: no file stays open."""


class TarTree:
    """A plain tar, read at absolute positions."""

    def __init__(self, path: Path) -> None:
        """Notes where every file is; raises CorruptRecordError if the tar is damaged or cut off."""
        self.path = path
        self._descriptor: int | None = None
        try:
            with tarfile.open(path, "r:") as archive:
                files = [member for member in archive if member.isreg()]
        except (tarfile.TarError, EOFError, OSError) as error:
            raise CorruptRecordError(path, 0, f"not a tar, or damaged ({error})", _REMEDY) from error
        self._places = {_clean(member.name): (member.offset_data, member.size) for member in files}
        size = path.stat().st_size
        for index, (name, (offset, length)) in enumerate(self._places.items()):
            if offset + length > size:
                raise CorruptRecordError(path, index, f"the file ends inside {name}", _REMEDY)

    def names(self) -> list[str]:
        """All files."""
        return list(self._places)

    def read(self, name: str) -> bytes:
        """The content of one file."""
        if name not in self._places:
            raise CorruptRecordError(self.path, 0, f"there is no {name}", _REMEDY)
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_RDONLY)
        offset, length = self._places[name]
        data = os.pread(self._descriptor, length, offset)
        if len(data) != length:
            raise CorruptRecordError(self.path, 0, f"the file ends inside {name}", _REMEDY)
        return data

    def close(self) -> None:
        """Closes the tar."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __getstate__(self) -> dict[str, Any]:
        """Pickles without the open file."""
        return self.__dict__ | {"_descriptor": None}


class ZipTree:
    """A zip."""

    def __init__(self, path: Path) -> None:
        """Opens it; raises CorruptRecordError if it is damaged or cut off."""
        self.path = path
        self._zip: zipfile.ZipFile | None = None
        self._names = [info.filename for info in self._open().infolist() if not info.is_dir()]

    def names(self) -> list[str]:
        """All files."""
        return list(self._names)

    def read(self, name: str) -> bytes:
        """The content of one file; its checksum is checked."""
        try:
            size = self._open().getinfo(name).file_size
            if size > _LARGEST:
                raise CorruptRecordError(self.path, 0, f"{name} has {size} bytes, too many for an episode", _REMEDY)
            return self._open().read(name)
        except (KeyError, *ZIP_ERRORS) as error:
            raise CorruptRecordError(self.path, 0, f"{name} cannot be read ({error})", _REMEDY) from error

    def close(self) -> None:
        """Closes the zip."""
        if self._zip is not None:
            self._zip.close()
            self._zip = None

    def __getstate__(self) -> dict[str, Any]:
        """Pickles without the open file."""
        return self.__dict__ | {"_zip": None}

    def _open(self) -> zipfile.ZipFile:
        if self._zip is None:
            try:
                self._zip = zipfile.ZipFile(self.path)
            except (zipfile.BadZipFile, OSError) as error:
                raise CorruptRecordError(self.path, 0, f"not a zip, or cut off ({error})", _REMEDY) from error
        return self._zip


def _clean(name: str) -> str:
    return name.removeprefix("./")


def _plain_tar(path: Path) -> Path:
    """The tar without its compression, in the cache folder; made once for each content."""
    status = path.stat()
    key = hashlib.sha256(f"{path.resolve()} {status.st_size} {status.st_mtime_ns}".encode()).hexdigest()[:16]
    folder = cache_folder("archives")
    plain = folder / f"{path.name.partition('.')[0]}-{key}.tar"
    if not plain.exists():
        _log.warning("%s is compressed: it is unpacked once, to %s", path, plain)
        with replacing(plain, lasting=False) as temporary:
            _unpack(path, temporary)
    return plain


def _unpack(path: Path, plain: Path) -> None:
    kinds: dict[str, Any] = {".xz": lzma.open, "txz": lzma.open, ".gz": gzip.open, "tgz": gzip.open, "bz2": bz2.open}
    opener = kinds[path.name.lower()[-3:]]
    with plain.open("wb") as target:
        try:
            with opener(path, "rb") as source:
                while piece := source.read(1 << 20):
                    with write_errors(plain):
                        target.write(piece)
        except WriteError:
            raise
        except (lzma.LZMAError, zlib.error, EOFError, OSError) as error:
            raise CorruptRecordError(path, 0, f"cannot be unpacked ({error})", _REMEDY) from error

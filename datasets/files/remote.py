"""Data sets behind a URL (`gs://`, `s3://`, `https://`, ...): small files are copied here, shards are read in place."""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from embodio.datasets.errors import DatasetError, UnsafeName
from embodio.datasets.files.names import inside
from embodio.model.writing import DISK_ERRORS, WriteError, replacing, write_bytes, write_errors

T = TypeVar("T")

_PACKAGES = {"gs": "gcsfs", "gcs": "gcsfs", "s3": "s3fs", "s3a": "s3fs", "http": "aiohttp", "https": "aiohttp"}
_PACKAGES |= {"hf": "huggingface_hub"}
_WORTH_TELLING = 16 << 20  # bytes
_DESCRIPTION = 512 << 20  # bytes; the largest description of a data set, which is read into memory
_UNSAID = 16 << 30  # largest file of unknown size, in bytes
_log = logging.getLogger(__name__)
_NAMED = 100  # characters of a URL in the name of its folder
_PAUSES = (0.2, 1.0)  # seconds, before the second and the third try


def is_url(text: str | Path) -> bool:
    """Whether this is a URL rather than a path."""
    return "://" in str(text)


def name_of(url: str) -> str:
    """The last part of a URL, without its query."""
    return url.partition("?")[0].rstrip("/").rpartition("/")[2]


def file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL, by fsspec, and the path in it.

    Raises:
        DatasetError: a package is missing (it is named), or the protocol is not known.
    """
    return _file_system(url.partition("://")[0], os.getpid()), _path(url)


def network_errors() -> tuple[type[Exception], ...]:
    """The errors of a file system when a file is missing or the connection fails."""
    aiohttp = sys.modules.get("aiohttp")  # its errors are of a type of their own
    return (OSError,) if aiohttp is None else (OSError, aiohttp.ClientError)


def trying_again(action: Callable[[], T]) -> T:
    """The result of `action`; a failing connection gets two more chances."""
    for pause in _PAUSES:
        try:
            return action()
        except (FileNotFoundError, PermissionError):
            raise
        except network_errors():
            time.sleep(pause)
    return action()


def cache_folder(*parts: str) -> Path:
    """A folder below the user's cache folder of this library; it need not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").joinpath("embodio", *parts)


def mirror(url: str, names: Sequence[str]) -> Path:
    """Copies small files of a remote folder into its own cache folder; missing files are left out.

    A copy is rewritten only if the content differs, so its modification time tells whether the data set changed.

    Args:
        url: of the folder.
        names: of the files, perhaps in folders below it.

    Raises:
        DatasetError: as `file_system`; the connection fails; or a file is larger than any description.
        UnsafeName: a name leads outside of the folder.
    """
    system, path = file_system(url)
    folder = folder_of(url)
    for name in names:
        target = inside(folder, name, url)
        content = _description(system, f"{path}/{name}", f"{url}/{name}")
        if content is None:
            target.unlink(missing_ok=True)
        elif not target.exists() or target.read_bytes() != content:
            write_bytes(target, content, lasting=False)
    return folder


def fetch(url: str, folder: Path) -> Path:
    """Copies one file into a folder, unless it is there with the same size.

    Args:
        url: of the file.
        folder: below the cache folder, as returned by `folder_of`; it need not exist.

    Returns:
        The copy, which has the last part of the URL as its name.

    Raises:
        DatasetError: as `mirror`, or the server sends more than it announced.
        UnsafeName: the copy would lie outside of the cache folder.
    """
    system, path = file_system(url)
    target = inside(folder, name_of(url), url)
    if cache_folder("remote").resolve() not in target.resolve().parents[1:]:
        raise UnsafeName(url, str(folder), "is not that of a folder in the cache")
    try:
        size = trying_again(lambda: system.info(path))["size"]
        if not target.exists() or target.stat().st_size != size:
            if size is not None and size >= _WORTH_TELLING:
                _log.warning("%s: %d MB are copied to %s", url, size >> 20, target)
            with replacing(target, lasting=False) as temporary:
                _download(system, path, temporary, url, _UNSAID if size is None else size)
    except WriteError:
        raise
    except network_errors() as error:
        raise _unreachable(url, error) from error
    return target


def _download(system: Any, path: str, target: Path, url: str, most: int) -> None:
    """Copies a file of at most `most` bytes; a server may send without end."""
    from fsspec.callbacks import Callback  # was there for `_file_system`

    def check(size: int | None, value: int, **_: object) -> None:
        if value > most:
            raise DatasetError(f"{url} sends more than {most} bytes. Check the address, or do without this server")

    try:
        trying_again(lambda: system.get_file(path, str(target), callback=Callback(hooks={"size": check})))
    except FileNotFoundError:
        raise
    except network_errors() as error:
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            raise
        raise _unreachable(url, error) from error


def _description(system: Any, path: str, url: str) -> bytes | None:
    """A small file; None if the server lacks it."""
    with tempfile.TemporaryDirectory() as folder, write_errors(folder):
        copy = Path(folder) / "copy"
        try:
            _download(system, path, copy, url, _DESCRIPTION)
        except FileNotFoundError:
            return None
        return copy.read_bytes() if copy.is_file() else None


def _unreachable(url: str, error: Exception) -> DatasetError:
    return DatasetError(f"{url} cannot be fetched ({error}). Check the address and the connection")


def folder_of(url: str) -> Path:
    """The folder on this machine for copies from a URL, made if missing."""
    url = url.rstrip("/")
    name = re.sub(r"[^\w.%+=-]", "_", name_of(url))[-_NAMED:]
    folder = cache_folder("remote", f"{name}-{_digest(url)}")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def has_file(url: str) -> bool:
    """Whether there is such a file; false also if the server cannot be reached."""
    system, path = file_system(url)
    try:
        return bool(trying_again(lambda: system.exists(path)))
    except network_errors():
        return False


def child_folders(url: str) -> list[str]:
    """Names of the folders in a remote folder; empty where the server does not list them."""
    system, path = file_system(url)
    try:
        return [str(entry["name"]).rstrip("/").rpartition("/")[2] for entry in system.ls(path, detail=True)]
    except NotImplementedError:
        return []
    except network_errors():
        return []


@functools.cache
def _file_system(protocol: str, process: int) -> Any:
    """One for each process, because connections do not survive a fork."""
    try:
        import fsspec
    except ImportError as error:
        raise DatasetError("data behind a URL needs fsspec: pip install fsspec aiohttp") from error
    try:
        return fsspec.filesystem(protocol)
    except ImportError as error:
        package = _PACKAGES.get(protocol, "a package of fsspec's list")
        raise DatasetError(f"{protocol}:// needs {package}: pip install {package} ({error})") from error
    except ValueError as error:
        raise DatasetError(f"{protocol}:// is not known. Use gs://, s3://, https://, file:// or a path") from error
    except TypeError as error:  # it needs a host or an account, which are not part of the protocol
        raise DatasetError(f"{protocol}:// cannot be read ({error}). Use gs://, s3://, https:// or a path") from error


def _path(url: str) -> str:
    import fsspec  # was there for `_file_system`

    stripped: str = fsspec.core.strip_protocol(url)
    return stripped.rstrip("/")


def _digest(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:16]

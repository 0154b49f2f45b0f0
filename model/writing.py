"""Atomic writing of files and folders: they are complete on disk or absent; used by all packages."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_REMEDIES = {
    errno.ENOSPC: "Free some space, or choose another place, and run the same again",
    errno.EDQUOT: "Your quota is used up: free some space, or choose another place, and run the same again",
    errno.EFBIG: "The limit on the size of files is reached: raise it (ulimit -f), or choose another place",
    errno.EACCES: "Ask for the right to write there, or choose another place",
    errno.EPERM: "Ask for the right to write there, or choose another place",
    errno.EROFS: "The disk is read-only: choose another place",
    errno.EIO: "The disk may be failing: choose another place",
}
DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
"""System error numbers that come from the disk, never from a network."""
_OTHER_REMEDY = "Choose another place, and run the same again"
_PARTIAL = re.compile(r"\..+\.\d+\.part(\.[^.]+)?", re.DOTALL)


class WriteError(OSError):
    """A file cannot be written; the message names it, the reason and the remedy."""

    @classmethod
    def of(cls, path: Path | str, error: OSError) -> WriteError:
        """The same error with the path of what was written."""
        number = error.errno or errno.EIO
        return cls(number, os.strerror(number) if error.errno else str(error), str(path))

    def __str__(self) -> str:
        remedy = _REMEDIES.get(self.errno or 0, _OTHER_REMEDY)
        return f"{self.filename} cannot be written: {self.strerror}. {remedy}"


@contextlib.contextmanager
def write_errors(path: Path | str) -> Iterator[None]:
    """Turns an OSError inside the block, which must only write `path`, into a WriteError that names it."""
    try:
        yield
    except WriteError:
        raise
    except OSError as error:
        raise WriteError.of(path, error) from error


@contextlib.contextmanager
def replacing(path: Path | str, *, lasting: bool = True) -> Iterator[Path]:
    """Yields the name of a temporary file in the same folder, which replaces `path` when the block ends.

    After an exception the temporary file is removed and `path` is unchanged. Parent folders are created.

    Args:
        path: the file; a symbolic link stays one, and what it points to is replaced.
        lasting: wait until file and folder are on disk, so that a power failure cannot undo it.

    Raises:
        WriteError: the file cannot be written, for example because the disk is full.
    """
    target = Path(path).resolve()
    temporary = partial(target)
    try:
        with write_errors(path):
            target.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            put_in_place(temporary, target, lasting=lasting)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def put_in_place(temporary: Path, path: Path, *, lasting: bool = True) -> None:
    """Renames a complete temporary file to its final name in the same folder; arguments, errors as in `replacing`."""
    with write_errors(path):
        if lasting:
            sync(temporary)
        temporary.replace(path)
        if lasting:
            sync(path.parent)


def write_bytes(path: Path | str, content: bytes, *, lasting: bool = True) -> None:
    """Writes a file atomically, see `replacing`; anything but a regular file, such as a pipe, is written directly."""
    if Path(path).exists() and not Path(path).is_file():
        with write_errors(path):
            Path(path).write_bytes(content)
        return
    with replacing(path, lasting=lasting) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path | str, text: str, *, lasting: bool = True) -> None:
    """Writes a text as UTF-8 atomically, see `replacing`."""
    write_bytes(path, text.encode(), lasting=lasting)


def write_json(path: Path | str, content: Any, *, indent: int = 1, lasting: bool = True) -> None:
    """Writes plain values as JSON atomically, see `replacing`."""
    write_text(path, json.dumps(content, indent=indent) + "\n", lasting=lasting)


def append(path: Path | str, content: bytes) -> None:
    """Adds to the end of a file: all of it, or nothing where the disk is full.

    Raises:
        WriteError: as `replacing`.
    """
    with write_errors(path), Path(path).open("ab", buffering=0) as file:
        before = file.tell()
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[file.write(rest) :]
        except OSError:
            file.truncate(before)
            raise


def write_cached(path: Path | str, content: bytes) -> None:
    """Writes a cache file; failures are ignored."""
    with contextlib.suppress(WriteError):
        write_bytes(path, content, lasting=False)


def sync(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replacing_folder(folder: Path, aside: Path | None = None) -> Iterator[Path]:
    """Yields an empty folder, which replaces `folder` when the block ends; after an exception it is removed.

    Whenever the process dies, `recover_folder` finds either the former content or the new one, complete.

    Args:
        folder: what is replaced.
        aside: where the former content goes, a free name on the same disk; None removes it.

    Raises:
        WriteError: as `replacing`.
    """
    new, old = _sibling(folder, "new"), replaced(folder)
    try:
        with write_errors(folder):
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(parents=True)
            yield new
            sync_tree(new)
            while not _put_in_place(new, folder, old):
                pass  # a reader has recovered the former content between the two renames
            if aside is not None and old.exists():
                old.replace(aside)
            sync(folder.absolute().parent)
        shutil.rmtree(old, ignore_errors=True)
    except WriteError as error:  # of a file in the folder that is gone now
        raise WriteError(error.errno, error.strerror, str(folder)) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def recover_folder(folder: Path) -> Path:
    """Finishes a replacement by `replacing_folder` that was interrupted between its two renames; returns the folder."""
    if not folder.exists():
        with contextlib.suppress(FileNotFoundError):  # there is no former content, or the writer lives and is done now
            _renamed(replaced(folder), folder)
    return folder


def replaced(folder: Path) -> Path:
    """Where `replacing_folder` puts the former content for a moment."""
    return _sibling(folder, "old")


def clear_leftovers(folder: Path) -> None:
    """Removes leftovers of a killed `replacing_folder` next to a folder; only for its sole writer."""
    for kind in ("new", "old") if folder.exists() else ("new",):
        shutil.rmtree(_sibling(folder, kind), ignore_errors=True)


def sync_tree(folder: Path) -> None:
    """Waits until all files below a folder, and their names, are on disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            sync(Path(parent) / name)
        sync(Path(parent))


def is_partial(name: str) -> bool:
    """Whether a name is that of a temporary file of `replacing`."""
    return _PARTIAL.fullmatch(name) is not None


def remove_partial(folder: Path) -> None:
    """Removes temporary files of killed processes; only for the folder's sole writer."""
    for path in folder.iterdir():
        if is_partial(path.name):
            path.unlink(missing_ok=True)


def _put_in_place(new: Path, folder: Path, old: Path) -> bool:
    shutil.rmtree(old, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        folder.replace(old)
    return _renamed(new, folder)


def _renamed(one: Path, other: Path) -> bool:
    """Renames a folder; False if the new name is that of a non-empty folder."""
    try:
        one.replace(other)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def partial(path: Path) -> Path:
    """A temporary name unique to this thread, with the same suffix, from which some writers infer the format."""
    return path.with_name(f".{path.stem}.{threading.get_native_id()}.part{path.suffix}")


def _sibling(folder: Path, kind: str) -> Path:
    return folder.with_name(f".{folder.name}.{kind}")

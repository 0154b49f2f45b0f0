"""Locks that admit one process at a time to a folder or an output file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from embodio.datasets.errors import DatasetError
from embodio.model.writing import remove_partial, write_errors

HOLDER = ".in_use"
"""File in a locked folder that names the process holding the lock; the lock itself is the operating system's."""
_LONGEST_COMMAND = 200
_held: set[int] = set()  # descriptors of this process


@contextlib.contextmanager
def sole_user(folder: Path, what: str, error: type[Exception] = DatasetError) -> Iterator[None]:
    """Holds a lock on a folder, made if missing; the system releases it when the process ends, however it ends.

    A folder that was made for the lock and stayed empty is removed.

    Temporary files that a killed process left in the folder are removed.

    Args:
        folder: where to write.
        what: the activity, for the message to another process ("collecting into").
        error: class raised if another process holds the lock; it names that process.
    """
    is_new = not folder.exists()
    descriptor = _locked(folder, what, error)
    try:
        remove_partial(folder)
        _name_holder(descriptor)
        yield
    finally:
        with contextlib.suppress(OSError):  # by descriptor, because the folder may have been renamed
            os.unlink(HOLDER, dir_fd=descriptor)
        with contextlib.suppress(OSError):  # nothing was written
            if is_new:
                folder.rmdir()
        _held.discard(descriptor)
        os.close(descriptor)


@contextlib.contextmanager
def sole_writer(path: Path, what: str, error: type[Exception] = DatasetError) -> Iterator[None]:
    """The same for one output file, whose folder others may use: the lock is on a hidden folder next to the file."""
    folder = path.absolute().with_name(f".{path.name}.lock")
    with sole_user(folder, what, error):
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                (folder / HOLDER).unlink(missing_ok=True)
                folder.rmdir()


def _locked(folder: Path, what: str, error: type[Exception]) -> int:
    """The descriptor of a folder, locked."""
    while True:
        with write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        _held.add(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_open_as(folder, descriptor):
                return descriptor
            problem = None  # the process before removed or renamed it in this very moment
        except BlockingIOError:
            problem = error(f"{_holder(folder)} is {what} {folder}. Wait for it, end it, or choose another place")
        _held.discard(descriptor)
        os.close(descriptor)
        if problem is not None:
            raise problem


def _is_open_as(folder: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(folder.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _name_holder(descriptor: int) -> None:
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])[:_LONGEST_COMMAND]
    text = f"process {os.getpid()} on {platform.node()} ({command})"
    with contextlib.suppress(OSError):  # a full disk: the lock holds anyway
        file = os.open(HOLDER, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644, dir_fd=descriptor)
        try:
            os.write(file, text.encode())
        finally:
            os.close(file)


def _holder(folder: Path) -> str:
    try:
        text = (folder / HOLDER).read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    return "".join(letter for letter in text if letter.isprintable()) or "another process"


def _release_in_child() -> None:
    """A forked child must not keep the lock of a parent that was killed."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_release_in_child)

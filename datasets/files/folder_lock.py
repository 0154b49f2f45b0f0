"""One process at a time in a folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from embodio.datasets.errors import DatasetError


@contextlib.contextmanager
def sole_user(folder: Path, what: str, error: type[DatasetError] = DatasetError) -> Iterator[None]:
    """Holds a lock on a folder; the system releases it when the process ends, however it ends.

    Args:
        folder: must be there.
        what: the other process does, for the message ("collecting into").
        error: to raise if another process holds the lock.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as busy:
            raise error(f"another process is {what} {folder}. Wait for it, or choose another") from busy
        yield
    finally:
        os.close(descriptor)

"""Output paths of a command, checked before its work begins, so that no result is computed and then lost."""

from __future__ import annotations

import os
from pathlib import Path

from embodio.train.command_line.schema import UsageError


def require_writable(path: Path, *, folder: bool = False) -> None:
    """Makes the folder above an output and checks that it can be written.

    Args:
        path: the output path.
        folder: whether it is a folder.

    Raises:
        UsageError: a folder is where the file should be, or nothing can be written there.
    """
    if path.is_dir() and not folder:
        raise UsageError(f"out: {path} is a folder. Give the name of a file")
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"out: {path} cannot be written ({error}). Choose another place") from error
    if not os.access(path.absolute().parent, os.W_OK):
        raise UsageError(f"out: {path.absolute().parent} cannot be written. Choose another place")

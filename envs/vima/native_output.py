"""Suppression of native output: silences what C code prints to standard output, past Python's `sys.stdout`."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
from collections.abc import Iterator

_STDOUT = 1  # file descriptor


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Redirects output of C code to the null device; does nothing if standard output is closed."""
    native = _native()
    native.fflush(None)  # what was printed before still goes where it belongs
    try:
        kept = os.dup(_STDOUT)
    except OSError:
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), _STDOUT)
        yield
    finally:
        native.fflush(None)
        os.dup2(kept, _STDOUT)
        os.close(kept)


@functools.cache
def _native() -> ctypes.CDLL:
    return ctypes.CDLL(None)

"""Helpers for tests that build a corpus: progress without a bar, and the bytes of what was built."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def unseen(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress that draws nothing."""
    yield lambda count: None


def content(folder: Path) -> dict[str, bytes]:
    """The bytes of all files below a folder, by their relative paths."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

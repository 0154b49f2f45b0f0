"""RecordIndex: a small file with the data that remembers the positions of records and their numbers of steps."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.files.byte_files import ByteFile
from embodio.datasets.files.sealed_json import sealed, unsealed
from embodio.datasets.rlds.tfrecord import scan
from embodio.model.writing import write_cached

INDEX_NAME = "record_index.json"
SIDE_FOLDER = ".embodio"
"""Folder with the data for files that may be deleted at any time and are made again."""
_SAVE_EVERY = 5.0  # seconds, while many shards are looked at


class RecordIndex:
    """A cache of facts about the shards of a folder; whatever is missing, damaged or old is found again.

    Attributes:
        folder: where the file of the index is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, Any] | None = None
        self._used: set[str] = set()
        self._changed = False
        self._saved = time.monotonic()

    def spans(self, name: str, file: ByteFile) -> npt.NDArray[np.int64]:
        """Offset and length of each payload of a TFRecord file, int64 [N, 2]; errors as in `tfrecord.scan`."""
        size, mark = file.stamp()
        entry = self._entry(name, size, mark)
        if "spans" not in entry:
            entry = {"size": size, "mtime": mark, "spans": scan(file).tolist()}
            self._put(name, entry)
            if time.monotonic() - self._saved > _SAVE_EVERY:
                self.save()
        return np.array(entry["spans"], dtype=np.int64).reshape(-1, 2)

    def steps(self, name: str, stamp: tuple[int, int | str], count: int) -> list[int] | None:
        """Steps of each record of a file if they are known; -1 marks a damaged record."""
        steps = self._entry(name, *stamp).get("steps")
        fits = isinstance(steps, list) and len(steps) == count and all(isinstance(n, int) for n in steps)
        return steps if fits else None

    def keep_steps(self, name: str, stamp: tuple[int, int | str], steps: list[int]) -> None:
        """Remembers the steps of each record of a file, and saves the index."""
        size, mark = stamp
        self._put(name, self._entry(name, size, mark) | {"size": size, "mtime": mark, "steps": steps})
        self.save()

    def save(self) -> None:
        """Writes the entries; a folder that cannot be written simply does without."""
        if not self._changed:
            return
        index = {name: entry for name, entry in self._load().items() if (self.folder / name).exists()}
        index |= {name: entry for name, entry in self._all().items() if name in self._used}
        write_cached(self.folder / INDEX_NAME, sealed({name: index[name] for name in sorted(index)}).encode())
        self._changed, self._saved = False, time.monotonic()

    def __getstate__(self) -> dict[str, Any]:
        """Pickles without the content; a copy reads it again if needed."""
        return self.__dict__ | {"_known": None, "_used": set(), "_changed": False}

    def _put(self, name: str, entry: dict[str, Any]) -> None:
        self._all()[name] = entry
        self._changed = True

    def _entry(self, name: str, size: int, mark: int | str) -> dict[str, Any]:
        """The entry of a file, if it belongs to the file as it is now."""
        self._used.add(name)
        entry = self._all().get(name)
        is_true = isinstance(entry, dict) and entry.get("size") == size and entry.get("mtime") == mark
        return entry if is_true and isinstance(entry, dict) else {}

    def _all(self) -> dict[str, Any]:
        if self._known is None:
            self._known = self._load()
        return self._known

    def _load(self) -> dict[str, Any]:
        try:
            index = unsealed((self.folder / INDEX_NAME).read_bytes())
        except OSError:  # not there
            return {}
        return index if isinstance(index, dict) else {}

"""The files of a zarr store, a folder or a zip, by their keys."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

from embodio.datasets.errors import CorruptRecordError
from embodio.datasets.files.file_trees import ZIP_ERRORS
from embodio.datasets.files.names import inside

ENDS = "meta/episode_ends"
REMEDY = "Fetch the data set again"
_LARGEST = 1 << 30  # bytes of one file


class ZarrStore:
    """Keys such as "data/action/0.0" and what is behind them. A copy, and a fork, opens its own files."""

    def __init__(self, path: Path) -> None:
        """Takes the folder or zip whose replay buffer is at its top or one folder below.

        Raises:
            CorruptRecordError: the zip is damaged.
            FileNotFoundError: there is no replay buffer.
        """
        self.path = path
        self._zip: tuple[int, zipfile.ZipFile] | None = None
        self._names = frozenset(self._open().namelist()) if path.is_file() else None
        self._root = self._find_root()

    def children(self, key: str) -> list[str]:
        """Names directly below a key, sorted."""
        if self._names is None:
            folder = self._file(key)
            return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
        start = f"{self._root}{key}/" if key else self._root
        below = (name.removeprefix(start) for name in self._names if name.startswith(start))
        return sorted({name.partition("/")[0] for name in below} - {""})

    def read(self, key: str) -> bytes | None:
        """The content behind a key; None if there is none.

        Raises:
            CorruptRecordError: it cannot be read.
            UnsafeName: it lies outside of the folder, behind a link.
        """
        try:
            if self._names is None:
                return self._file(key).read_bytes()
            if self._root + key not in self._names:
                return None
            info = self._open().getinfo(self._root + key)
            if info.file_size > _LARGEST:
                raise CorruptRecordError(self.path, 0, f"{key} has {info.file_size} bytes, too many", REMEDY)
            return self._open().read(info)
        except FileNotFoundError:
            return None
        except ZIP_ERRORS as error:
            raise CorruptRecordError(self.path, 0, f"{key} cannot be read ({error})", REMEDY) from error

    def close(self) -> None:
        """Closes the zip; it opens again when it is needed."""
        if self._zip is not None:
            self._zip[1].close()
            self._zip = None

    def __getstate__(self) -> dict[str, Any]:
        """Pickles without the open zip."""
        return self.__dict__ | {"_zip": None}

    def _file(self, key: str) -> Path:
        name = self._root + key
        return inside(self.path, name, self.path) if name else self.path

    def _open(self) -> zipfile.ZipFile:
        if self._zip is None or self._zip[0] != os.getpid():
            try:
                self._zip = os.getpid(), zipfile.ZipFile(self.path)
            except ZIP_ERRORS as error:
                raise CorruptRecordError(self.path, 0, f"not a zip, or cut off ({error})", REMEDY) from error
        return self._zip[1]

    def _find_root(self) -> str:
        ends = tuple(f"{ENDS}/{name}" for name in (".zarray", "zarr.json"))
        if self._names is not None:
            roots = sorted(
                {name.removesuffix(end) for name in self._names for end in ends if name.endswith(end)}, key=len
            )
        else:
            found = (file for end in ends for file in (*self.path.glob(end), *self.path.glob(f"*/{end}")))
            roots = sorted({f"{file.parents[2].relative_to(self.path).as_posix()}/" for file in found}, key=len)
        if not roots:
            raise FileNotFoundError(f"{self.path} has no {ENDS}")
        return "" if roots[0] == "./" else roots[0]


def holds_store(path: Path) -> bool:
    """Whether a folder or zip holds a replay buffer; raises nothing."""
    if not path.is_dir() and path.suffix.lower() != ".zip":
        return False
    try:
        ZarrStore(path).close()
    except (CorruptRecordError, OSError):
        return False
    return True

"""Open HDF5 files, a few at a time, and errors that name the file and the episode."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from embodio.datasets.errors import CorruptRecordError, DatasetError
from embodio.datasets.sources.hdf5.dialect import number_of
from embodio.datasets.sources.hdf5.links import require_own

SUFFIXES = (".hdf5", ".h5")
REMEDY = "Fetch the file again"
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_OPEN = 16  # files at a time


class OpenFiles:
    """The files of a data set; a copy in another process opens its own.

    Attributes:
        root: the file itself, or the folder that holds all of them.
        paths: of all files.
    """

    def __init__(self, root: Path, paths: Sequence[Path]) -> None:
        """Opens nothing yet."""
        self.root, self.paths = root, tuple(paths)
        self._open: OrderedDict[int, Any] = OrderedDict()

    def file(self, number: int, episode: int) -> Any:
        """An open `h5py.File`.

        Args:
            number: index into `paths`.
            episode: for which it is opened, for messages.

        Raises:
            DatasetError: h5py is missing.
            CorruptRecordError: the file cannot be opened.
            UnsafeName: the file names other files.
        """
        if number in self._open:
            self._open.move_to_end(number)
            return self._open[number]
        try:
            import h5py
        except ImportError as error:
            raise DatasetError("HDF5 files need h5py: pip install h5py") from error
        path = self.paths[number]
        try:
            file = h5py.File(path, "r")
        except OSError as error:
            raise CorruptRecordError(path, episode, f"not an HDF5 file, or cut off ({error})", REMEDY) from error
        with readable(path, episode):
            require_own(path, file)
        self._open[number] = file
        while len(self._open) > _OPEN:
            self._open.popitem(last=False)[1].close()
        return self._open[number]

    def close(self) -> None:
        """Closes the files; reopened when needed."""
        while self._open:
            self._open.popitem()[1].close()

    def __getstate__(self) -> dict[str, Any]:
        """Pickles without the open files."""
        return self.__dict__ | {"_open": OrderedDict()}


@contextlib.contextmanager
def readable(path: Path, episode: int, name: str = "the file") -> Iterator[None]:
    """Turns what h5py raises on damaged files into CorruptRecordError."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise CorruptRecordError(path, episode, f"{name} cannot be read ({error})", REMEDY) from error


def is_hdf5(path: Path) -> bool:
    """Whether a file says so in its name or its first bytes."""
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(_SIGNATURE)) == _SIGNATURE
    except OSError:
        return False


def files_below(path: Path) -> list[Path]:
    """The file itself, or all HDF5 files of a folder and of those in it, by their numbers; hidden ones are left out."""
    if path.is_file():
        return [path]
    found = (file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    shown = [file for file in found if not any(part.startswith(".") for part in file.relative_to(path).parts)]
    return sorted(shown, key=lambda file: [*map(number_of, file.relative_to(path).parts[:-1]), number_of(file.stem)])

"""Tables: arrays that say what is where in a file, made once, kept on disk and mapped into memory.

They are kept in the hidden folder `.embodio` next to the data, or in the user's cache folder where that cannot be
written. The name of a table's file holds a hash of size and time of change of what it describes (of a remote file, the
server's version), so a changed file has none.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import numpy.typing as npt
from rich.console import Console
from safetensors.numpy import save

from embodio.datasets.errors import DatasetError
from embodio.datasets.files.byte_files import ByteFile
from embodio.datasets.files.remote import cache_folder
from embodio.datasets.progress import counted
from embodio.datasets.records.files.file_set import FileSet
from embodio.datasets.records.files.unpacked import blocks
from embodio.datasets.rlds.pieces.record_index import SIDE_FOLDER
from embodio.model.writing import write_cached

Array = npt.NDArray[Any]
_TYPES: dict[str, np.dtype[Any]] = {"I64": np.dtype("<i8"), "U8": np.dtype("u1")}
_PATIENCE = 2.0  # seconds without a bar
_OPEN = 4096  # tables that are mapped at a time
_REVISION = "1"  # of what readers put into tables
_FACTS = "facts"  # the key of all that is not an array


@dataclass(frozen=True, eq=False)
class Table:
    """What is where in one file.

    Attributes:
        arrays: int64 or uint8, by name.
        digest: SHA-256 of the file's content, in hex; of a remote file, of its server's version.
        count: records in the file.
        problem: what is wrong with the file as a whole, such as a missing end; "" for nothing.
    """

    arrays: Mapping[str, Array]
    digest: str
    count: int
    problem: str = ""


@dataclass(eq=False)
class Tables:
    """The tables of the files of a set; what is pickled are counts and digests alone.

    Args:
        files: what they describe.
        kind: what is in them; part of their names.
        make: makes the table of a file of the set by its number.

    Attributes:
        counts: records of each file, int64 [files].
        digests: of each file's content.
        problems: of files that are damaged as a whole, by number.
    """

    files: FileSet
    kind: str
    make: Callable[[int], Table]
    counts: npt.NDArray[np.int64] = field(init=False)
    digests: tuple[str, ...] = field(init=False, default=())
    problems: dict[int, str] = field(init=False)
    _open: OrderedDict[int, Table] = field(init=False, default_factory=OrderedDict)

    def __post_init__(self) -> None:
        """Makes or reads all tables once."""
        found = list(self._all())
        self.counts = np.array([table.count for table in found], dtype=np.int64)
        self.digests = tuple(table.digest for table in found)
        self.problems = {number: table.problem for number, table in enumerate(found) if table.problem}

    def __getitem__(self, number: int) -> Table:
        """The table of a file.

        Raises:
            DatasetError: the file has changed since the tables were made.
        """
        table = self._open.get(number)
        if table is None:
            table = self._open[number] = self._read(number)
            if self.digests and self.digests[number] != table.digest:
                changed = f"{self.files.root}/{self.files.names[number]}"
                raise DatasetError(f"{changed} has changed since the corpus was opened. Start the run again")
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)
        return table

    def __getstate__(self) -> dict[str, Any]:
        """Pickles without the arrays."""
        return self.__dict__ | {"_open": OrderedDict()}

    def _all(self) -> Iterator[Table]:
        """All tables in order, with a bar where that takes long."""
        with ExitStack() as stack:
            begun, advance = time.monotonic(), None
            for number in range(len(self.files)):
                yield self[number]
                if advance is None and time.monotonic() - begun > _PATIENCE:
                    advance = stack.enter_context(
                        counted(f"index of {self.files.name}", len(self.files), Console(stderr=True))
                    )
                if advance is not None:
                    advance(number + 1)

    def _read(self, number: int) -> Table:
        name, file = self.files.names[number], self.files.file(number)
        ending = f"{_hashed(name)}-{_hashed(self.kind, _REVISION, *file.stamp())}.table"
        for folder in _folders(self.files.root):
            if (folder / ending).is_file() and (table := _loaded(folder / ending)):
                return table
        table = self.make(number)
        content = _saved(table)
        for folder in _folders(self.files.root):
            _remove_old(folder, ending)
            write_cached(folder / ending, content)
            if (folder / ending).is_file():
                return _loaded(folder / ending) or table
        return table


def content_digest(file: ByteFile) -> str:
    """The digest of a local file's content; of a remote file, which is not read for it, of the server's version."""
    if isinstance(file.name, str):
        return hashlib.sha256(repr(file.stamp()).encode()).hexdigest()
    total = hashlib.sha256()
    for block in blocks(file):
        total.update(block)
    return total.hexdigest()


def _folders(root: Path | str) -> list[Path]:
    """Where tables may be, the best place first."""
    common = cache_folder("records", _hashed(str(root)))
    return [common] if isinstance(root, str) else [root / SIDE_FOLDER / "records", common]


def _remove_old(folder: Path, ending: str) -> None:
    """Removes the tables of the same file as it was before."""
    kind = ending.rpartition("-")[0]
    for path in folder.glob(f"{kind}-*.table"):
        path.unlink(missing_ok=True)


def _saved(table: Table) -> bytes:
    """A safetensors file with the arrays, and the rest as its metadata; the same bytes for the same table."""
    arrays = {name: np.ascontiguousarray(array) for name, array in table.arrays.items()}
    crc = 0
    for name in sorted(arrays):
        crc = google_crc32c.extend(crc, arrays[name].tobytes())
    facts = {"digest": table.digest, "count": str(table.count), "problem": table.problem, "crc": str(crc)}
    return save(arrays, metadata={_FACTS: json.dumps(facts)})  # one entry, as their order is not fixed


def _loaded(path: Path) -> Table | None:
    """A table whose arrays are mapped from its file; None if it is damaged."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size)) if size < path.stat().st_size else {}
        facts = json.loads(header.pop("__metadata__")[_FACTS])
        arrays, crc = dict[str, Array](), 0
        for name in sorted(header):
            first, last = header[name]["data_offsets"]
            dtype: np.dtype[Any] = _TYPES[header[name]["dtype"]]
            shape = tuple(header[name]["shape"])
            place = 8 + size + first
            array: Array = np.memmap(path, dtype, "r", place, shape) if last > first else np.zeros(shape, dtype)
            crc = google_crc32c.extend(crc, array.tobytes())
            arrays[name] = array
        if int(facts["crc"]) == crc:
            return Table(arrays, facts["digest"], int(facts["count"]), facts["problem"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # cut off, damaged, or of another program
        return None
    return None


def _hashed(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogateescape")).hexdigest()[:16]

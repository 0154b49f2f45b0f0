"""FileSet: the files that a path, a pattern or a URL names, in an order that does not change."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embodio.datasets.errors import DatasetError, NoSuchFiles
from embodio.datasets.files.byte_files import ByteFile, LocalFile, RemoteFile
from embodio.datasets.files.remote import file_system, is_url, network_errors, trying_again

_PATTERN = re.compile(r"[*?\[]")
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_MOST_NAMES = 1_000_000  # of a pattern with braces
_SPLITS = {"train": ("train", "training"), "validation": ("validation", "val", "valid", "dev"), "test": ("test",)}
_PACKING = (".gz", ".zst")


@dataclass(frozen=True)
class FileSet:
    """Files below one folder.

    Attributes:
        place: as the caller named them, for messages.
        root: the folder, a path or a URL.
        names: relative to it, with slashes.
    """

    place: str
    root: Path | str
    names: tuple[str, ...]

    def __len__(self) -> int:
        """The number of files."""
        return len(self.names)

    @property
    def name(self) -> str:
        """A short name of the place."""
        return re.split(r"[/\\]", self.place.partition("?")[0].rstrip("/"))[-1] or self.place

    def file(self, number: int) -> ByteFile:
        """File `number`, not yet opened."""
        return self.named(self.names[number])

    def named(self, name: str) -> ByteFile:
        """A file of the set by its name, not yet opened."""
        return RemoteFile(f"{self.root}/{name}") if isinstance(self.root, str) else LocalFile(self.root / name)

    def with_suffix(self, *suffixes: str) -> FileSet:
        """Those files whose names end so, in any case."""
        return self.only(name for name in self.names if name.lower().endswith(suffixes))

    def only(self, names: Iterable[str]) -> FileSet:
        """Some of the files."""
        return FileSet(self.place, self.root, tuple(names))

    def of_split(self, split: str) -> FileSet:
        """The files of a split: in a folder of that name, or with the name as a word of theirs.

        Raises:
            DatasetError: there are none; or no split is given, but the files are in folders of several.
        """
        found = {name: self._of(known) for name, known in _SPLITS.items()}
        if not split:
            there = [name for name, names in found.items() if names]
            if len(there) > 1 and sum(map(len, found.values())) == len(self.names):
                raise DatasetError(f"{self.place} holds the splits {', '.join(there)}; give split= one of them")
            return self
        names = self._of(next((known for known in _SPLITS.values() if split in known), (split,)))
        if not names:
            there = [name for name, names in found.items() if names]
            raise NoSuchFiles(f"{self.place} has no split {split!r}; it has {', '.join(there) or 'none'}")
        return self.only(names)

    def _of(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """Names with one of the words as a folder, else as a part of the file's name."""
        folders = tuple(name for name in self.names if set(name.split("/")[:-1]) & set(words))
        if folders:
            return folders
        return tuple(name for name in self.names if set(re.split(r"[^A-Za-z0-9]+", name.lower())) & set(words))


def plain_name(name: str) -> str:
    """A file's name in lower case without the ending of a compression."""
    name = name.lower()
    return next((name.removesuffix(end) for end in _PACKING if name.endswith(end)), name)


def file_set(place: str | Path) -> FileSet:
    """The files that a place names, hidden ones aside, sorted with numbers in order of their values.

    Args:
        place: a file; a folder, with everything below it; a pattern such as "shards/{0000..0127}.tar" or "c4/*.gz";
            or a URL of one of these.

    Raises:
        NoSuchFiles: there is no such file, or a folder is empty.
        DatasetError: a server does not answer, or a pattern is malformed.
    """
    text = str(place)
    root: Path | str
    if not is_url(text) and Path(text).exists():
        root, names = _local(Path(text))
    elif _BRACES.search(text):
        root, names = _braced(text)
    elif is_url(text):
        root, names = _remote(text)
    elif _PATTERN.search(text):
        root, names = _matched(text)
    else:
        raise NoSuchFiles(f"{text}: there is no such file, folder or pattern of files")
    if not names:
        raise NoSuchFiles(f"{text} holds no files")
    return FileSet(text, root, tuple(names))


def _local(path: Path) -> tuple[Path, list[str]]:
    if path.is_file():
        return path.absolute().parent, [path.name]
    found = []
    for parent, folders, names in os.walk(path, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = Path(parent).relative_to(path)
        found += [(below / name).as_posix() for name in names if not name.startswith(".")]
    return path.absolute(), sorted(found, key=_in_order)


def _matched(pattern: str) -> tuple[Path, list[str]]:
    """The files that a pattern with *, ? or [] finds."""
    parts = Path(pattern).parts
    fixed = next(number for number, part in enumerate(parts) if _PATTERN.search(part))
    root = Path(*parts[:fixed]).absolute()
    found = (path.relative_to(root) for path in root.glob(str(Path(*parts[fixed:]))) if path.is_file())
    return root, sorted((path.as_posix() for path in found if not _hidden(path.as_posix())), key=_in_order)


def _braced(pattern: str) -> tuple[Path | str, list[str]]:
    """The files of a pattern with braces; their order is that of the pattern."""
    names = expanded(pattern)
    missing = [name for name in names if not is_url(name) and not Path(name).is_file()]
    if missing:
        raise NoSuchFiles(f"{pattern}: {len(missing)} of {len(names)} files are missing, the first is {missing[0]}")
    root = pattern[: pattern.index("{")].rpartition("/")[0]
    below = [name[len(root) + 1 :] if root else name for name in names]
    return root if is_url(pattern) else Path(root or ".").absolute(), below


def expanded(pattern: str) -> list[str]:
    """The names that a pattern with braces stands for: {000..012} counts, {a,b} lists.

    Raises:
        DatasetError: they are more than a million, or a brace is neither of the two.
    """
    brace = _BRACES.search(pattern)
    if brace is None:
        return [pattern]
    counted = _RANGE.fullmatch(brace[1])
    if counted:
        first, last = int(counted[1]), int(counted[2])
        if abs(last - first) >= _MOST_NAMES:
            raise DatasetError(f"{pattern}: more than {_MOST_NAMES} files")
        numbers = range(first, last + 1) if first <= last else range(first, last - 1, -1)
        padded = "0" in (counted[1][0], counted[2][0])
        width = max(len(counted[1]), len(counted[2])) if padded else 0
        words = [f"{number:0{width}d}" for number in numbers]
    elif "," in brace[1]:
        words = brace[1].split(",")
    else:
        raise DatasetError(f"{pattern}: {brace[0]} is neither a range such as {{000..012}} nor a list {{a,b}}")
    ends = expanded(pattern[brace.end() :])
    if len(words) * len(ends) > _MOST_NAMES:
        raise DatasetError(f"{pattern}: more than {_MOST_NAMES} files")
    return [f"{pattern[: brace.start()]}{word}{end}" for word in words for end in ends]


def _remote(url: str) -> tuple[str, list[str]]:
    system, path = file_system(url)
    try:
        if trying_again(lambda: system.isfile(path)):
            return url.rpartition("/")[0], [url.rpartition("/")[2]]
        pattern = bool(_PATTERN.search(url.partition("://")[2]))
        found: Any = trying_again(lambda: system.glob(path) if pattern else system.find(path))
    except network_errors() as error:
        raise DatasetError(f"{url} cannot be listed ({error}). Check the address and the connection") from error
    except NotImplementedError as error:
        raise DatasetError(f"{url}: the server does not list files. Name them: {{0000..0127}}.tar") from error
    root = url[: _PATTERN.search(url).start()].rpartition("/")[0] if pattern else url.rstrip("/")  # type: ignore[union-attr]
    base = system._strip_protocol(root).rstrip("/") + "/"
    names = [str(name)[len(base) :] for name in found if str(name).startswith(base)]
    return root, sorted((name for name in names if not _hidden(name)), key=_in_order)


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _in_order(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts numbers in names by value: part2 comes before part10."""
    parts = re.split(r"(\d+)", name)
    return tuple((1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts)

"""Annotated items: an annotation, made when it is needed, with its key and the group that it belongs to."""

from __future__ import annotations

import gzip
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, overload

from embodio.datasets.errors import AnnotationError as AnnotationError
from embodio.model.tasks.base.family import Annotation


@dataclass(frozen=True)
class AnnotatedItem:
    """One item of an annotated file.

    Attributes:
        key: its name, unique in the file.
        group: what it shares with other items, such as the name of its image; items of one group are not independent.
        make: reads the media and makes the annotation; raises AnnotationError.
        parts: names of the parts of the file that it belongs to, such as "new source".
    """

    key: str
    group: str
    make: Callable[[], Annotation]
    parts: tuple[str, ...] = ()


class Kind(Protocol):
    """A kind of task that annotations are of: a family, or one that takes several questions to a model."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def annotation(self) -> type[Annotation]:
        """The class of its annotations."""


Read = Callable[..., Sequence[AnnotatedItem]]
"""(file, folder of media, kind of task, further settings as keywords) -> items."""


@dataclass(frozen=True)
class Omission:
    """Items that a file names and that cannot be used.

    Attributes:
        reason: why.
        count: of them.
        first: where the first one is.
    """

    reason: str
    count: int
    first: str


@dataclass(frozen=True)
class AnnotatedItems(Sequence[AnnotatedItem]):
    """The items of a file, and what of the file was left out.

    Attributes:
        items: in the order of the file.
        left_out: by reason.
        classes: names of all classes of the file, where every image is annotated for all of them; else empty.
    """

    items: tuple[AnnotatedItem, ...]
    left_out: tuple[Omission, ...] = ()
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """The number of items."""
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> AnnotatedItem: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[AnnotatedItem]: ...
    def __getitem__(self, index: int | slice) -> AnnotatedItem | Sequence[AnnotatedItem]:
        """An item, or several."""
        return self.items[index]


class LazyItems(Sequence[AnnotatedItem], ABC):
    """Items that are made when they are needed."""

    @abstractmethod
    def item(self, index: int) -> AnnotatedItem:
        """The item at a place from 0 to the number of items."""

    @overload
    def __getitem__(self, index: int) -> AnnotatedItem: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[AnnotatedItem]: ...
    def __getitem__(self, index: int | slice) -> AnnotatedItem | Sequence[AnnotatedItem]:
        """An item, or several."""
        if isinstance(index, slice):
            return [self.item(number) for number in range(len(self))[index]]
        return self.item(range(len(self))[index])


@contextmanager
def expecting(where: object, schema: str) -> Iterator[None]:
    """A context in which values of a file are taken apart.

    Args:
        where: the place, for messages.
        schema: what the place should hold.

    Raises:
        AnnotationError: in place of the errors of missing and wrong values.
    """
    try:
        yield
    except KeyError as error:
        raise AnnotationError(f"{where}: it lacks {error}; expected {schema}") from error
    except (TypeError, IndexError, ValueError, AttributeError, OverflowError) as error:
        raise AnnotationError(f"{where}: {error}; expected {schema}") from error


def file_text(file: Path) -> str:
    """The text of a file, unpacked if its name ends with .gz; raises AnnotationError."""
    try:
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        return data.decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise AnnotationError(f"{file}: it cannot be read: {error}") from error


def parsed(text: str, where: str) -> Any:
    """JSON; raises AnnotationError that names the place."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AnnotationError(f"{where}: not JSON: {error}") from error


def parsed_file(file: Path, kind: type | tuple[type, ...], schema: str) -> Any:
    """The JSON of a file.

    Raises:
        AnnotationError: it cannot be read, or is not of the kind.
    """
    found = parsed(file_text(file), str(file))
    if not isinstance(found, kind):
        raise AnnotationError(f"{file}: expected {schema}, found {type(found).__name__}")
    return found


def require_distinct(items: Sequence[AnnotatedItem], file: Path) -> Sequence[AnnotatedItem]:
    """The items; raises AnnotationError if there are none, or two have one key."""
    if not items:
        raise AnnotationError(f"{file}: there is not one item in it")
    seen: set[str] = set()
    for item in items:
        if item.key in seen:
            raise AnnotationError(f"{file}: two items have the key {item.key!r}; keys name items and differ")
        seen.add(item.key)
    return items

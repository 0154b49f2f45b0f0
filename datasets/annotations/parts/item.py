"""Annotated items: an annotation, made when it is needed, with its key and the group that it belongs to."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embodio.datasets.errors import DatasetError
from embodio.model.tasks.base.family import Annotation, Family


class AnnotationError(DatasetError):
    """An annotated file cannot be read, or an annotation in it is wrong; the message names file, item and field."""


@dataclass(frozen=True)
class AnnotatedItem:
    """One item of an annotated file.

    Attributes:
        key: its name, unique in the file.
        group: what it shares with other items, such as the name of its image; items of one group are not independent.
        make: reads the media and makes the annotation; raises AnnotationError.
        digest: hash of its values and of the content of its media, by which two evaluations know that they asked the
            same; raises AnnotationError.
        parts: names of the parts of the file that it belongs to, such as "new source".
    """

    key: str
    group: str
    make: Callable[[], Annotation]
    digest: Callable[[], str]
    parts: tuple[str, ...] = ()


Read = Callable[[Path, Path, Family[Any]], Sequence[AnnotatedItem]]
"""(file, folder of media, family) -> items."""


def file_text(file: Path) -> str:
    """The text of a file; raises AnnotationError."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AnnotationError(f"{file}: it cannot be read: {error}") from error


def parsed(text: str, where: str) -> Any:
    """JSON; raises AnnotationError that names the place."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise AnnotationError(f"{where}: not JSON: {error}") from error


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

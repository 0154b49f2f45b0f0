"""JSON lines: one annotation a line, with the fields of its family and the names of its media files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from embodio.datasets.annotations.parts.item import (
    AnnotatedItem,
    file_text,
    parsed,
    require_distinct,
)
from embodio.datasets.annotations.parts.values import annotated_item
from embodio.datasets.errors import AnnotationError
from embodio.model.tasks.base.family import Family


def read_jsonl(file: Path, folder: Path, family: Family[Any]) -> Sequence[AnnotatedItem]:
    """The items of a file.

    Each line is an object of the family's fields, see `annotation_of`, and perhaps a "key" and a "group"; without them
    the number of the line is the key, and the name of the image or the sound is the group.

    Raises:
        AnnotationError: a line is not an object, keys repeat, or there is not one.
    """
    found = []
    for number, line in enumerate(file_text(file).splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        values = parsed(line, where)
        if not isinstance(values, dict):
            raise AnnotationError(f"{where}: expected an object, found {type(values).__name__}")
        key = str(values.pop("key", number))
        group = str(values.pop("group", values.get("image") or values.get("audio") or key))
        found.append(annotated_item(family, values, folder, where, key, group))
    return require_distinct(found, file)


READ = read_jsonl
FAMILIES = ()

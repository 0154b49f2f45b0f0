"""Tables whose columns a setting maps to fields: any JSON, JSON lines, CSV, TSV, Parquet or Arrow with one row an item.

    file: train.jsonl
    format: table
    reading: {fields: {image: "images/{Flickr30K_ID}.jpg", question: sentence2, text: gold_label}}

A field is a column, or a text with columns in braces, which may say how many digits: "{image_id:012d}.jpg". Nested
values are reached with dots. Boxes are in the order that `boxes` says. Rows are read when they are needed, at random;
JSON lists and CSV are held in memory. So the public files of TallyQA, SNLI-VE, VSR, InstructPix2Pix, MagicBrush,
Localized Narratives and many others are read without a format of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from embodio.datasets.annotations.parts.item import AnnotatedItem, expecting, require_distinct
from embodio.datasets.annotations.parts.places import box_of_corner, box_of_corners
from embodio.datasets.annotations.parts.rows import RowItems, open_rows
from embodio.datasets.errors import AnnotationError
from embodio.datasets.records.columns import at_path
from embodio.model.tasks.base.family import Family

BoxOrder = Literal["xywh", "xyxy", "yxyx"]
_SLOT = re.compile(r"\{([\w.]+)(?::0(\d{1,2})d)?\}")
_SINGLE, _SEVERAL = ("box", "subject", "object"), ("boxes",)
_TEXTS = ("text", "question", "instruction", "context", "expression", "name")
_BOXES: Mapping[str, Callable[[Any], list[float]]] = {
    "xywh": box_of_corner,
    "xyxy": box_of_corners,
    "yxyx": lambda box: [float(side) for side in box],
}
_SCHEMA = "the columns of the setting fields"


def read_table(
    file: Path,
    folder: Path,
    family: Family[Any],
    *,
    fields: Mapping[str, str],
    words: Mapping[str, Mapping[Any, str]] | None = None,
    boxes: BoxOrder = "xywh",
    columns: Sequence[str] = (),
    delimiter: str = "",
) -> Sequence[AnnotatedItem]:
    """The rows of a table.

    Args:
        file: the table, or a folder of several.
        folder: of the media.
        family: any.
        fields: field of the family's annotation, or of its media -> column or template.
        words: field -> value in the table -> text of the annotation, such as {text: {1: "yes", 0: "no"}}; another
            value is an error of its item.
        boxes: order of the numbers of boxes: corner and size, both corners, or the house's own.
        columns: names of the columns of a CSV whose first line is a row already.
        delimiter: of a CSV where it is not that of its ending.

    Raises:
        AnnotationError: a column is not there, or the table cannot be read; of a single row, when its item is made.
    """
    if boxes not in _BOXES:
        raise AnnotationError(f"{file}: boxes: got {boxes!r}, expected one of {', '.join(_BOXES)}")
    rows = open_rows(file, columns=columns, delimiter=delimiter)
    renamed = {name: {str(value): text for value, text in known.items()} for name, known in (words or {}).items()}
    values = partial(_values, dict(fields), renamed, boxes)
    if len(rows):
        with expecting(f"{file}, {rows.place(0)}", _SCHEMA):
            values(rows.row(0))
    found = RowItems(file, folder, family, rows, values, _SCHEMA)
    require_distinct(found[:1], file)
    return found


def _values(
    fields: Mapping[str, str], words: Mapping[str, Mapping[str, str]], boxes: str, row: Mapping[str, Any]
) -> dict[str, Any]:
    found = {}
    for name, column in fields.items():
        value = _filled(column, row) if "{" in column else _column(column, row)
        if name in _SINGLE:
            value = _BOXES[boxes](value)
        elif name in _SEVERAL:
            value = [_BOXES[boxes](one) for one in value]
        elif name in _TEXTS and isinstance(value, int | float | bool):
            value = str(value)
        found[name] = words[name][str(value)] if name in words else value
    return found


def _column(name: str, row: Mapping[str, Any]) -> Any:
    value = at_path(row, name)
    if value is None:
        raise KeyError(name)
    return value


def _filled(template: str, row: Mapping[str, Any]) -> str:
    """A template with the columns of a row in its slots."""

    def fill(slot: re.Match[str]) -> str:
        value = _column(slot[1], row)
        return f"{int(value):0{int(slot[2])}d}" if slot[2] else str(value)

    return _SLOT.sub(fill, template)


READ = read_table
FAMILIES = ()

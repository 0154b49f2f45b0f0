"""GRIT: the samples of one task of the General Robust Image Task benchmark, a JSON list."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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


def read_grit(file: Path, folder: Path, family: Family[Any]) -> Sequence[AnnotatedItem]:
    """The samples of a file of GRIT (arXiv 2204.13653), for the families of its tasks.

    `answer_question`, `classify`, `localise`, `refer` and `normals` are those of GRIT. Of people, one item is the
    person in one true box, as a network is asked for one person at a time.

    Raises:
        AnnotationError: the file is not a list of samples, or GRIT has no such family.
    """
    if family.name not in _FIELDS:
        raise AnnotationError(f"{file}: GRIT has no task of the family {family.name!r}; it has {', '.join(_FIELDS)}")
    samples = parsed(file_text(file), str(file))
    if not isinstance(samples, list):
        raise AnnotationError(f"{file}: expected a list of samples, found {type(samples).__name__}")
    found: list[AnnotatedItem] = []
    for number, sample in enumerate(samples):
        where = f"{file}, sample {number}"
        try:
            asked, output = sample["input"], sample["output"]
            key, image = str(asked["example_id"]), str(asked["image_id"])
            several = _FIELDS[family.name](asked, output)
        except (KeyError, TypeError, IndexError) as error:
            raise AnnotationError(f"{where}: it lacks {error}; expected input and output of a GRIT sample") from error
        for place, values in enumerate(several):
            own = key if len(several) == 1 else f"{key}/{place}"
            found.append(annotated_item(family, {"image": image} | values, folder, where, own, image))
    return require_distinct(found, file)


Values = list[dict[str, Any]]


def _box(corners: Sequence[float]) -> list[float]:
    """(x1, y1, x2, y2) as (y1, x1, y2, x2)."""
    left, top, right, bottom = corners
    return [top, left, bottom, right]


def _question(asked: Mapping[str, Any], output: Mapping[str, Any]) -> Values:
    words = output["words"]
    return [{"question": asked["task_query"], "text": words[0], "references": words}]


def _category(asked: Mapping[str, Any], output: Mapping[str, Any]) -> Values:
    box, options = asked.get("bbox"), asked.get("output_options")
    values: dict[str, Any] = {"text": output["words"][0]}
    return [values | ({"box": _box(box)} if box else {}) | ({"choices": options} if options else {})]


def _places(asked: Mapping[str, Any], output: Mapping[str, Any]) -> Values:
    boxes, name = [_box(one) for one in output["bboxes"]], asked["task_query"]
    return [{"name": name, "boxes": boxes, "labels": [name] * len(boxes)}]


def _reference(asked: Mapping[str, Any], output: Mapping[str, Any]) -> Values:
    return [{"expression": asked["task_query"], "box": _box(output["bboxes"][0])}]


def _people(asked: Mapping[str, Any], output: Mapping[str, Any]) -> Values:
    found = []
    for box, numbers in zip(output["bboxes"], output["points"], strict=True):
        points = [[numbers[at + 1], numbers[at], numbers[at + 2]] for at in range(0, len(numbers), 3)]
        found.append({"box": _box(box), "keypoints": points})
    return found


def _normals(asked: Mapping[str, Any], output: Mapping[str, Any]) -> Values:
    return [{"normals": output["out_image_name"]}]


_FIELDS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Values]] = {
    "answer_question": _question,
    "classify": _category,
    "localise": _places,
    "refer": _reference,
    "keypoints": _people,
    "normals": _normals,
}

READ = read_grit
FAMILIES = tuple(_FIELDS)

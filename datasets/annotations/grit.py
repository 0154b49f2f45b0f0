"""GRIT: the samples of one task of the General Robust Image Task benchmark, a JSON list."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from embodio.datasets.annotations.parts.item import (
    AnnotatedItem,
    Kind,
    file_text,
    parsed,
    require_distinct,
)
from embodio.datasets.annotations.parts.values import annotated_item
from embodio.datasets.errors import AnnotationError

_DISTORTED, _STUFF = "_dist", "(Stuff)"


def read_grit(file: Path, folder: Path, kind: Kind) -> Sequence[AnnotatedItem]:
    """The samples of a file of GRIT (arXiv 2204.13653), each with input, output and perhaps meta.

    `answer_question`, `classify`, `localise`, `refer`, `segment_each`, `keypoints_each` and `normals` are GRIT's tasks.
    Parts are those of GRIT's tables: the source of the data; sameSrc or newSrc and sameCpt or newCpt (of concepts) for
    samples that are not distorted; dist, and undist for the same samples without distortion.

    Raises:
        AnnotationError: the file is not a list of samples, they lack their output, or GRIT has no such task.
    """
    if kind.name not in _FIELDS:
        raise AnnotationError(f"{file}: GRIT has no task of the family {kind.name!r}; it has {', '.join(_FIELDS)}")
    samples = parsed(file_text(file), str(file))
    if not isinstance(samples, list):
        raise AnnotationError(f"{file}: expected a list of samples, found {type(samples).__name__}")
    try:
        keys = {str(sample["input"]["example_id"]) for sample in samples}
    except (KeyError, TypeError) as error:
        raise AnnotationError(f"{file}: a sample lacks {error}; expected input and output of GRIT samples") from error
    found: list[AnnotatedItem] = []
    options: dict[str, list[str]] = {}
    for number, sample in enumerate(samples):
        where = f"{file}, sample {number}"
        try:
            asked, output = sample["input"], sample["output"]
            key, image = str(asked["example_id"]), str(asked["image_id"])
            values: Values = {"image": image} | _FIELDS[kind.name](asked, output)
        except (KeyError, TypeError, IndexError) as error:
            raise AnnotationError(f"{where}: it lacks {error}; expected input and output of a GRIT sample") from error
        if "choices" in values:
            name = str(values["choices"])
            options[name] = options.get(name) or _options(name, file, where)
            values["choices"] = options[name]
        parts = _parts(sample.get("meta") or {}, f"{key}{_DISTORTED}" in keys)
        found.append(annotated_item(kind, values, folder, where, key, image, parts))
    return require_distinct(found, file)


def _parts(meta: Mapping[str, Any], has_distorted_copy: bool) -> tuple[str, ...]:
    """The parts of GRIT's tables that a sample belongs to, those that its file tells of."""
    distorted = bool(meta.get("is_distorted"))
    found = [str(meta["data_source"])] if "data_source" in meta else []
    if not distorted:
        for field, same, new in (("is_new_source", "sameSrc", "newSrc"), ("has_new_concept", "sameCpt", "newCpt")):
            found += [new if meta[field] else same] if field in meta else []
    return (*found, *(["dist"] if distorted else []), *(["undist"] if has_distorted_copy else []))


def _options(name: str, file: Path, where: str) -> list[str]:
    """The possible answers that a sample names, such as "coco_categories": those of output_options/NAME.json."""
    places = [parent / "output_options" / f"{name}.json" for parent in file.parents[:3]]
    for place in places:
        if place.is_file():
            names = parsed(file_text(place), str(place))
            if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
                raise AnnotationError(f"{place}: expected a list of texts")
            return names
    raise AnnotationError(f"{where}: output_options: there is no file {places[-1]}, which lists the possible answers")


Values = dict[str, Any]


def _box(corners: Sequence[float]) -> list[float]:
    """(x1, y1, x2, y2) as (y1, x1, y2, x2)."""
    left, top, right, bottom = corners
    return [top, left, bottom, right]


def _question(asked: Mapping[str, Any], output: Mapping[str, Any]) -> Values:
    words = output["words"]
    return {"question": asked["task_query"], "text": words[0], "references": words}


def _category(asked: Mapping[str, Any], output: Mapping[str, Any]) -> Values:
    box, options = asked.get("task_bbox"), asked.get("output_options")
    values: Values = {"text": output["words"][0]}
    return values | ({"box": _box(box)} if box else {}) | ({"choices": options} if options else {})


def _places(asked: Mapping[str, Any], output: Mapping[str, Any]) -> Values:
    boxes, name = [_box(one) for one in output["bboxes"]], asked["task_query"]
    return {"name": name, "boxes": boxes, "labels": [name] * len(boxes)}


def _reference(asked: Mapping[str, Any], output: Mapping[str, Any]) -> Values:
    return {"expression": asked["task_query"], "box": _box(output["bboxes"][0])}


def _masks(asked: Mapping[str, Any], output: Mapping[str, Any]) -> Values:
    """The masks of things, or those of stuff, which GRIT marks in the name."""
    name = str(asked["task_query"])
    return {"name": name.replace(_STUFF, "").strip(), "stuff": _STUFF in name, "masks": output["masks"]}


def _people(asked: Mapping[str, Any], output: Mapping[str, Any]) -> Values:
    """The points (x, y, visible) of each person as (y, x, visible)."""
    people = [
        [[numbers[at + 1], numbers[at], numbers[at + 2]] for at in range(0, len(numbers), 3)]
        for numbers in output["points"]
    ]
    return {"people": people}


def _normals(asked: Mapping[str, Any], output: Mapping[str, Any]) -> Values:
    return {"normals": output["out_image_name"]}


_FIELDS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Values]] = {
    "answer_question": _question,
    "classify": _category,
    "localise": _places,
    "refer": _reference,
    "segment_each": _masks,
    "keypoints_each": _people,
    "normals": _normals,
}

READ = read_grit
FAMILIES = tuple(_FIELDS)

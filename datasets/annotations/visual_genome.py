"""Visual Genome: region descriptions, objects, relationships and questions, each a JSON list of images.

Reads the files of version 1.2 and 1.4 (homes.cs.washington.edu/~ranjay/visualgenome, "API and data"):

    region_descriptions.json  [{"id", "regions": [{"region_id", "image_id", "phrase", "x", "y", "width", "height"}]}]
    objects.json              [{"image_id", "objects": [{"object_id", "x", "y", "w", "h", "names": [...]}]}]
    relationships.json        [{"image_id", "relationships": [{"relationship_id", "predicate", "subject": {"object_id",
                              "x", "y", "w", "h", "name" or "names"}, "object": {...}}]}]
    question_answers.json     [{"id", "qas": [{"qa_id", "image_id", "question", "answer"}]}]

Pictures are found by their id, in whatever folder: VG_100K/2.jpg. Boxes stick out of their pictures at times and are
cut at the edge; one that lies outside altogether is an error of its item. All of the file is held in memory, as Python
objects about five times its size.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, parsed_file
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import MediaIndex
from embodio.datasets.annotations.parts.places import box_of_corner
from embodio.model.tasks.base.family import Family
from embodio.model.tasks.locations.places import fault_of_box

_SCHEMA = "a list of images with regions, objects, relationships or qas"
Make = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def read_visual_genome(file: Path, folder: Path, family: Family[Any]) -> AnnotatedItems:
    """The items of a file; which families it opens depends on what it holds.

    Raises:
        AnnotationError: the file is not one of Visual Genome, or holds nothing for the family.
    """
    content = parsed_file(file, list, _SCHEMA)
    found, index = ItemList(file, folder, family), MediaIndex(folder, "image")
    part, make = _ROWS.get(family.name, ("objects", None))
    for number, image in enumerate(content):
        with expecting(f"{file}, image number {number}", f"an image with {part}, as {family.name} needs"):
            rows = image[part]
            key = image["image_id"] if "image_id" in image else image["id"]
            name = index.find(str(key))
        if name is None:
            found.leave_out("a picture that is not in the media folder", f"image {key}")
        elif make is not None:
            _add(rows, _KEYS[part], make, name, found)
        else:
            _add_objects(rows, key, name, found)
    return found.done()


def _add(rows: Sequence[Mapping[str, Any]], key: str, make: Make, image: str, found: ItemList) -> None:
    """Adds an item for each row of an image."""
    for row in rows:
        place = f"{key} {row.get(key)}"
        with expecting(f"{found.file}, {place}", "a row of Visual Genome"):
            values, own = make(row), row[key]
        boxes = [values[name] for name in ("box", "subject", "object") if name in values]
        texts = [values[name] for name in ("text", "expression", "question", "name") if name in values]
        faults = [fault for box in boxes if (fault := fault_of_box(box, None))]
        if faults or not all(texts):
            found.leave_out(faults[0] if faults else "an empty text", place)
        else:
            drawn = {"drawn": image} if found.family.name == "inpaint" else {}
            found.add(own, image, {"image": image, **values, **drawn}, place, clip=True)


def _add_objects(rows: Sequence[Mapping[str, Any]], key: object, image: str, found: ItemList) -> None:
    """Adds all objects of an image together, or those of each name."""
    several: dict[str, list[list[float]]] = defaultdict(list)
    for row in rows:
        place = f"object_id {row.get('object_id')}"
        with expecting(f"{found.file}, {place}", "an object of Visual Genome"):
            name, box = _name(row), _box(row)
        if not name:
            found.leave_out("an object without a name", place)
        elif fault := fault_of_box(box, None):
            found.leave_out(fault, place)
        else:
            several[name].append(box)
    where = f"image {key}"
    if found.family.name == "localise":
        for name, boxes in several.items():
            values = {"image": image, "name": name, "boxes": boxes, "labels": [name] * len(boxes)}
            found.add(f"{key}/{name}", image, values, where, clip=True)
        return
    boxes = [box for own in several.values() for box in own]
    labels = [name for name, own in several.items() for _ in own]
    found.add(key, image, {"image": image, "boxes": boxes, "labels": labels}, where, clip=True)


def _box(row: Mapping[str, Any]) -> list[float]:
    return box_of_corner([row["x"], row["y"], row["w"], row["h"]])


def _name(row: Mapping[str, Any]) -> str:
    """The first name of an object."""
    names = row["names"] if "names" in row else [row["name"]]
    return str(names[0]).strip() if names else ""


def _region(row: Mapping[str, Any]) -> list[float]:
    return box_of_corner([row["x"], row["y"], row["width"], row["height"]])


def _relationship(row: Mapping[str, Any]) -> dict[str, Any]:
    subject, thing = row["subject"], row["object"]
    return {
        "text": str(row["predicate"]).strip().lower(),
        "subject": _box(subject),
        "object": _box(thing),
        "subject_name": _name(subject),
        "object_name": _name(thing),
    }


_KEYS = {"regions": "region_id", "relationships": "relationship_id", "qas": "qa_id", "objects": "object_id"}
_ROWS: Mapping[str, tuple[str, Make | None]] = {
    "caption_region": ("regions", lambda row: {"text": str(row["phrase"]).strip(), "box": _region(row)}),
    "refer": ("regions", lambda row: {"expression": str(row["phrase"]).strip(), "box": _region(row)}),
    "relate": ("relationships", _relationship),
    "classify": ("objects", lambda row: {"text": _name(row), "box": _box(row)}),
    "inpaint": ("objects", lambda row: {"name": _name(row), "box": _box(row)}),
    "answer_question": (
        "qas",
        lambda row: {"question": str(row["question"]).strip(), "text": str(row["answer"]).strip()},
    ),
}

READ = read_visual_genome
FAMILIES = (*_ROWS, "detect", "localise")

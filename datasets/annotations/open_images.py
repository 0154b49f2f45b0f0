"""Open Images: boxes of objects, and relationships, as a CSV with boxes in fractions of the picture's sides.

Reads `oidv6-train-annotations-bbox.csv`, `validation-annotations-bbox.csv` and their like of V4 to V7
(storage.googleapis.com/openimages/web):

    ImageID, Source, LabelName, Confidence, XMin, XMax, YMin, YMax, IsOccluded, IsTruncated, IsGroupOf, ...

and relationships, `oidv6-train-annotations-vrd.csv`, in which "is" leads to an attribute and is left out:

    ImageID, LabelName1, LabelName2, XMin1, XMax1, YMin1, YMax1, XMin2, XMax2, YMin2, YMax2, RelationshipLabel

The names of labels are in `class-descriptions-boxable.csv` or `oidv7-class-descriptions-boxable.csv` next to it:
LabelName, DisplayName, with a header or without. A picture is ImageID.jpg, in whatever folder. Boxes of groups are left
out. Rows are read one by one, and the numbers of the boxes are held in memory.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import MediaIndex, image_size
from embodio.datasets.errors import AnnotationError
from embodio.model.tasks.base.family import Family
from embodio.model.tasks.locations.places import fault_of_box

NAMES = ("class-descriptions-boxable.csv", "oidv7-class-descriptions-boxable.csv")
_SCHEMA = "the columns ImageID, LabelName, XMin, XMax, YMin and YMax"
_RELATION = "the columns ImageID, LabelName1, LabelName2, XMin1 to YMax2 and RelationshipLabel"
Box = tuple[float, float, float, float]
_NAMED = {"subject_name": "1", "object_name": "2"}
"""Field of a relationship -> the end of the column with its label."""


def read_open_images(file: Path, folder: Path, family: Family[Any]) -> AnnotatedItems:
    """The boxes of a file: `detect` takes all of an image, `localise` those of one name, `classify` and
    `inpaint` each, `relate` both of a relationship.

    Raises:
        AnnotationError: the file has other columns, or the names of its labels are not next to it.
    """
    names, found, index = _names_of_labels(file), ItemList(file, folder, family), MediaIndex(folder, "image")
    if family.name == "relate":
        _add_relationships(found, names, index)
        return found.done()
    several: dict[str, dict[str, list[Box]]] = defaultdict(lambda: defaultdict(list))
    images: dict[str, str | None] = {}
    for row, place in _rows(file):
        with expecting(f"{file}, {place}", _SCHEMA):
            key, name = row["ImageID"], names.get(row["LabelName"])
            box = _fractions(row)
            if key not in images:
                images[key] = index.find(key)
        if images[key] is None:
            found.leave_out("a picture that is not in the media folder", place)
        elif not name:
            found.leave_out("a label without a name", place)
        elif row.get("IsGroupOf") == "1":
            found.leave_out("a group", place)
        elif fault := _fault(box):
            found.leave_out(fault, place)
        else:
            several[str(images[key])][name].append(box)
    for image, own in several.items():
        _add(found, image, own)
    return found.done()


def _add(found: ItemList, image: str, own: Mapping[str, Sequence[Box]]) -> None:
    place = f"image {image}"
    if found.family.name == "detect":
        boxes = [box for several in own.values() for box in several]
        labels = [name for name, several in own.items() for _ in several]
        values = {"image": image, "boxes": partial(_pixels, boxes, image, found.folder), "labels": labels}
        found.add(image, image, values, place)
        return
    for name, several in own.items():
        if found.family.name == "localise":
            boxes_of = partial(_pixels, several, image, found.folder)
            values = {"image": image, "name": name, "boxes": boxes_of, "labels": [name] * len(several)}
            found.add(f"{image}/{name}", image, values, place)
            continue
        for number, box in enumerate(several):
            values = {"image": image, "box": partial(_one, box, image, found.folder)}
            values |= {"text": name} if found.family.name == "classify" else {"name": name, "drawn": image}
            found.add(f"{image}/{name}/{number}", image, values, place)


def _add_relationships(found: ItemList, names: Mapping[str, str], index: MediaIndex) -> None:
    """Adds what one object of an image is to another, for each row."""
    for number, (row, place) in enumerate(_rows(found.file)):
        with expecting(f"{found.file}, {place}", _RELATION):
            image, words = index.find(row["ImageID"]), row["RelationshipLabel"].replace("_", " ").strip()
            boxes = [_fractions(row, end) for end in "12"]
            things = {key: names.get(row[f"LabelName{end}"], "") for key, end in _NAMED.items()}
            known = all(things.values())
        faults = [fault for box in boxes if (fault := _fault(box))]
        if image is None:
            found.leave_out("a picture that is not in the media folder", place)
        elif words in ("", "is"):
            found.leave_out("an attribute rather than a relationship", place)
        elif not known or faults:
            found.leave_out(faults[0] if faults else "a label without a name", place)
        else:
            subject, thing = (partial(_one, box, image, found.folder) for box in boxes)
            values = {"image": image, "text": words, "subject": subject, "object": thing} | things
            found.add(number, image, values, place)


def _fractions(row: Mapping[str, str], end: str = "") -> Box:
    """A box (y1, x1, y2, x2) in fractions of the sides."""
    return (float(row[f"YMin{end}"]), float(row[f"XMin{end}"]), float(row[f"YMax{end}"]), float(row[f"XMax{end}"]))


def _fault(box: Box) -> str:
    return fault_of_box(box, None) or ("" if min(box) >= 0 and max(box) <= 1 else "a box outside its image")


def _pixels(boxes: Sequence[Box], image: str, folder: Path) -> npt.NDArray[np.float32]:
    """Boxes (y1, x1, y2, x2) in pixels of an image, float32 [N, 4]."""
    return (np.array(boxes) * ([*image_size(image, folder)] * 2)).astype(np.float32)


def _one(box: Box, image: str, folder: Path) -> npt.NDArray[np.float32]:
    return np.asarray(_pixels([box], image, folder)[0])


def _rows(file: Path) -> Iterator[tuple[Mapping[str, str], str]]:
    """Each row with its place."""
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            for number, row in enumerate(csv.DictReader(opened), start=1):
                yield row, f"row {number}"
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AnnotationError(f"{file}: it cannot be read: {error}") from error


def _names_of_labels(file: Path) -> dict[str, str]:
    """Id -> name of each label."""
    for path in map(file.with_name, NAMES):
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as opened:
                return {line[0]: line[1].strip() for line in csv.reader(opened) if len(line) > 1}
    raise AnnotationError(f"{file}: the names of its labels are not next to it; fetch {' or '.join(NAMES)}")


READ = read_open_images
FAMILIES = ("detect", "localise", "classify", "inpaint", "relate")

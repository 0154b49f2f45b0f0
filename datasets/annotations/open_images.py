"""Open Images: boxes of objects as a CSV with a row for each box, in fractions of the picture's sides.

Reads `oidv6-train-annotations-bbox.csv`, `validation-annotations-bbox.csv` and their like of V4 to V7
(storage.googleapis.com/openimages/web):

    ImageID, Source, LabelName, Confidence, XMin, XMax, YMin, YMax, IsOccluded, IsTruncated, IsGroupOf, ...

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

from embodio.datasets.annotations.parts.item import AnnotatedItems, ItemList, expecting
from embodio.datasets.annotations.parts.media import MediaIndex, image_size
from embodio.datasets.annotations.parts.places import fault_of_box
from embodio.datasets.errors import AnnotationError
from embodio.model.tasks.base.family import Family

NAMES = ("class-descriptions-boxable.csv", "oidv7-class-descriptions-boxable.csv")
_SCHEMA = "the columns ImageID, LabelName, XMin, XMax, YMin and YMax"
Box = tuple[float, float, float, float]


def read_open_images(file: Path, folder: Path, family: Family[Any]) -> AnnotatedItems:
    """The boxes of a file: `detect` takes all of an image, `localise` those of one name, `classify` each.

    Raises:
        AnnotationError: the file has other columns, or the names of its labels are not next to it.
    """
    names, found, index = _names_of_labels(file), ItemList(file, folder, family), MediaIndex(folder, "image")
    several: dict[str, dict[str, list[Box]]] = defaultdict(lambda: defaultdict(list))
    images: dict[str, str | None] = {}
    for row, place in _rows(file):
        with expecting(f"{file}, {place}", _SCHEMA):
            key, name = row["ImageID"], names.get(row["LabelName"])
            box = (float(row["YMin"]), float(row["XMin"]), float(row["YMax"]), float(row["XMax"]))
            if key not in images:
                images[key] = index.find(key)
        if images[key] is None:
            found.leave_out("a picture that is not in the media folder", place)
        elif not name:
            found.leave_out("a label without a name", place)
        elif row.get("IsGroupOf") == "1":
            found.leave_out("a group", place)
        elif fault := fault_of_box(box, None) or ("" if min(box) >= 0 and max(box) <= 1 else "a box outside its image"):
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
            values = {"image": image, "text": name, "box": partial(_one, box, image, found.folder)}
            found.add(f"{image}/{name}/{number}", image, values, place)


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
FAMILIES = ("detect", "localise", "classify")

"""COCO: instances, keypoints and captions of pictures, one JSON object with images, annotations and categories.

Reads the files `instances_*.json`, `stuff_*.json`, `person_keypoints_*.json` and `captions_*.json` of 2014 and 2017
(cocodataset.org, "Data format"), LVIS, iNaturalist (categories of whole pictures), and many others in the same format:

    images       {"id", "file_name" or "coco_url", "width", "height"}
    annotations  {"id", "image_id", "category_id", "bbox": [x, y, width, height], "segmentation", "iscrowd",
                 "keypoints": [x, y, visible] * 17, "num_keypoints", "caption"}, those that the file has
    categories   {"id", "name"}

Polygons and run lengths become masks when they are needed. What has an image or a category that is not in the file, a
box without an area or outside its image, or an empty caption is left out and counted; crowds are left out but for masks
of all objects of a name. All of the file is held in memory, as Python objects about five times its size.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, parsed_file
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.places import box_of_corner, mask_of
from embodio.datasets.errors import AnnotationError
from embodio.model.tasks.base.family import Family
from embodio.model.tasks.locations.places import fault_of_box

SCHEMA = "an object of COCO with images, annotations and categories"


@dataclass(frozen=True)
class CocoImage:
    """An image of a file: its id, the name of its file, and (height, width) in pixels where it is known."""

    key: Any
    name: str
    size: tuple[int, int] | None


@dataclass(frozen=True)
class CocoObject:
    """An annotation of a file, with its image, the name of its category and its box (y1, x1, y2, x2)."""

    key: Any
    image: CocoImage
    name: str
    box: list[float]
    values: Mapping[str, Any]

    @property
    def place(self) -> str:
        """Where it is in the file."""
        return f"annotation {self.key}"

    def mask(self) -> npt.NDArray[np.bool_]:
        """Its mask, bool [height, width]."""
        if self.image.size is None:
            raise ValueError(f"image {self.image.key} has no width and height, which its masks need")
        return mask_of(self.values["segmentation"], self.image.size)


def read_coco(
    file: Path,
    folder: Path,
    family: Family[Any],
    *,
    per: Literal["instance", "name"] = "instance",
    pictures: int = 2,
    asked: Literal["one", "all"] = "all",
) -> AnnotatedItems:
    """The items of a file of COCO.

    Args:
        file: the annotations.
        folder: of the pictures.
        family: `detect` takes all objects of an image, `localise` those of one name; the others one object, or the
            captions of an image.
        per: of `segment`, a mask for each object, asked for by name and box; or one for all objects of a name.
        pictures: of `caption_several`, how many are shown, at most one more than the network has slots for.
        asked: of `caption_several`, whether the captions of all are asked for or that of one, each in turn.

    Raises:
        AnnotationError: the file is not one of COCO, or lacks what the family needs.
    """
    if per not in ("instance", "name"):
        raise AnnotationError(f"{file}: per: got {per!r}, expected instance or name")
    if pictures < 2 or asked not in ("one", "all"):
        raise AnnotationError(
            f"{file}: pictures and asked: got {pictures} and {asked!r}, expected at least 2, and one or all"
        )
    content = parsed_file(file, dict, SCHEMA)
    found = ItemList(file, folder, family)
    with expecting(file, SCHEMA):
        images = images_of(content)
    if family.name in ("caption", "caption_several", "draw"):
        _captions(content, images, found, pictures, asked)
        return found.done()
    with expecting(file, SCHEMA):
        names, rows = names_of(content), content["annotations"]
    objects = objects_of(rows, images, names, found)
    if family.name == "classify" and rows and "bbox" not in rows[0]:
        _classes(rows, images, names, found)
    elif family.name == "segment" and per == "name":
        _masks_of_names(objects, found)
    elif family.name in _WHOLE:
        _WHOLE[family.name](objects, images, names, found)
    else:
        _single(objects, found)
    # in LVIS an image is annotated for some classes only
    whole = not any("not_exhaustive_category_ids" in row for row in content["images"][:1])
    return found.done(tuple(dict.fromkeys(names.values())) if whole else ())


def images_of(content: Mapping[str, Any]) -> dict[Any, CocoImage]:
    """Id -> image; a name is that of the file, or the folder and file of the address where only that is given."""
    found = {}
    for row in content["images"]:
        name = row.get("file_name") or "/".join(str(row["coco_url"]).split("/")[-2:])
        size = (int(row["height"]), int(row["width"])) if row.get("height") and row.get("width") else None
        found[row["id"]] = CocoImage(row["id"], name, size)
    return found


def names_of(content: Mapping[str, Any]) -> dict[Any, str]:
    """Id -> name of each category that has one, with spaces for underscores."""
    found = {row["id"]: str(row.get("name") or "").replace("_", " ").strip() for row in content["categories"]}
    return {key: name for key, name in found.items() if name}


def objects_of(
    rows: Iterable[Mapping[str, Any]], images: Mapping[Any, CocoImage], names: Mapping[Any, str], found: ItemList
) -> Iterator[CocoObject]:
    """The objects of a file that can be used; the others are counted."""
    for number, row in enumerate(rows):
        with expecting(f"{found.file}, number {number} of the annotations", "id, image_id, category_id and bbox"):
            place, image, name = f"annotation {row['id']}", images.get(row["image_id"]), names.get(row["category_id"])
            box = box_of_corner(row["bbox"])
        if image is None:
            found.leave_out("an image_id that no image has", place)
        elif name is None:
            found.leave_out("a category_id without a name", place)
        elif fault := fault_of_box(box, image.size):
            found.leave_out(fault, place)
        elif row.get("iscrowd") and found.family.name != "segment":
            found.leave_out("a crowd", place)
        else:
            yield CocoObject(row["id"], image, name, box, row)


def _classes(
    rows: Iterable[Mapping[str, Any]], images: Mapping[Any, CocoImage], names: Mapping[Any, str], found: ItemList
) -> None:
    """The category of each image, where annotations have no boxes."""
    for number, row in enumerate(rows):
        with expecting(f"{found.file}, number {number} of the annotations", "id, image_id and category_id"):
            place, image, name = f"annotation {row['id']}", images.get(row["image_id"]), names.get(row["category_id"])
        if image is None or name is None:
            found.leave_out("an image_id that no image has" if image is None else "a category_id without a name", place)
        else:
            found.add(row["id"], image.name, {"image": image.name, "text": name}, place)


def _captions(
    content: Mapping[str, Any], images: Mapping[Any, CocoImage], found: ItemList, pictures: int, asked: str
) -> None:
    """Captions of each image together, or each caption with the image that it describes; or those of several images."""
    several: dict[Any, list[str]] = defaultdict(list)
    for number, row in enumerate(content.get("annotations", ())):
        with expecting(f"{found.file}, number {number} of the annotations", "id, image_id and caption"):
            place, key, text = f"annotation {row['id']}", row["image_id"], str(row["caption"]).strip()
        if key not in images:
            found.leave_out("an image_id that no image has", place)
        elif not text:
            found.leave_out("an empty caption", place)
        elif found.family.name == "draw":
            found.add(row["id"], images[key].name, {"text": text, "drawn": images[key].name}, place)
        else:
            several[key].append(text)
    if found.family.name == "caption_several":
        _captions_of_several([(images[key].name, texts[0]) for key, texts in several.items()], found, pictures, asked)
        return
    for key, texts in several.items():
        values = {"image": images[key].name, "text": texts[0], "references": texts}
        found.add(key, images[key].name, values, f"image {key}")


def _captions_of_several(captioned: Sequence[tuple[str, str]], found: ItemList, pictures: int, asked: str) -> None:
    """Images one after another, this many at a time, each with its first caption."""
    for number in range(len(captioned) // pictures):
        names, texts = zip(*captioned[number * pictures : (number + 1) * pictures], strict=True)
        wanted = number % pictures
        values: dict[str, Any] = {"image_history": list(names[:-1]), "image": names[-1], "captions": list(texts)}
        if asked == "one":
            values |= {"wanted": wanted, "captions": [texts[wanted]]}
        found.add(number, names[0], values, f"images {', '.join(names)}")


def _detections(
    objects: Iterable[CocoObject], images: Mapping[Any, CocoImage], names: Mapping[Any, str], found: ItemList
) -> None:
    """All objects of each image; images without any have no boxes."""
    several: dict[Any, list[CocoObject]] = {key: [] for key in images}
    for one in objects:
        several[one.image.key].append(one)
    known = tuple(dict.fromkeys(names.values()))
    for key, own in several.items():
        boxes = {"boxes": [one.box for one in own], "labels": [one.name for one in own], "names": known}
        found.add(key, images[key].name, {"image": images[key].name} | boxes, f"image {key}")


def _locations(
    objects: Iterable[CocoObject], images: Mapping[Any, CocoImage], names: Mapping[Any, str], found: ItemList
) -> None:
    """All objects of one name in an image."""
    for (key, name), own in _by_name(objects).items():
        boxes = {"name": name, "boxes": [one.box for one in own], "labels": [name] * len(own)}
        found.add(f"{key}/{name}", own[0].image.name, {"image": own[0].image.name} | boxes, f"image {key}")


def _masks_of_names(objects: Iterable[CocoObject], found: ItemList) -> None:
    for (key, name), own in _by_name(objects).items():
        values = {"image": own[0].image.name, "name": name, "mask": partial(_union, own)}
        found.add(f"{key}/{name}", own[0].image.name, values, f"image {key}")


def _union(objects: Sequence[CocoObject]) -> npt.NDArray[np.bool_]:
    return np.logical_or.reduce([one.mask() for one in objects])


def _by_name(objects: Iterable[CocoObject]) -> dict[tuple[Any, str], list[CocoObject]]:
    several: dict[tuple[Any, str], list[CocoObject]] = defaultdict(list)
    for one in objects:
        several[one.image.key, one.name].append(one)
    return several


def _single(objects: Iterable[CocoObject], found: ItemList) -> None:
    """Each object on its own."""
    for one in objects:
        with expecting(f"{found.file}, {one.place}", "an annotation of COCO"):
            values = _OBJECT[found.family.name](one)
        if one.values.get("iscrowd"):
            found.leave_out("a crowd", one.place)
        elif values is None:
            found.leave_out("nothing of it is visible", one.place)
        else:
            found.add(one.key, one.image.name, values, one.place)


def _person(one: CocoObject) -> dict[str, Any] | None:
    numbers = one.values["keypoints"]
    points = [[numbers[at + 1], numbers[at], numbers[at + 2]] for at in range(0, len(numbers), 3)]
    visible = any(point[2] > 0 for point in points)
    return {"image": one.image.name, "box": one.box, "keypoints": points} if visible else None


def _mask(one: CocoObject) -> dict[str, Any]:
    if "segmentation" not in one.values:
        raise KeyError("segmentation")
    return {"image": one.image.name, "name": one.name, "box": one.box, "mask": one.mask}


_WHOLE: Mapping[str, Callable[..., None]] = {"detect": _detections, "localise": _locations}
_OBJECT: Mapping[str, Callable[[CocoObject], dict[str, Any] | None]] = {
    "segment": _mask,
    "keypoints": _person,
    "classify": lambda one: {"image": one.image.name, "box": one.box, "text": one.name},
    "inpaint": lambda one: {"image": one.image.name, "box": one.box, "name": one.name, "drawn": one.image.name},
}

READ = read_coco
FAMILIES = ("caption", "caption_several", "draw", *_WHOLE, *_OBJECT)

"""COCO-Text and TextOCR: words in pictures with their boxes, a JSON object of images and annotations by their id.

    COCO-Text 1.4 and 2.0 (bgshih.github.io/cocotext)    {"imgs": {"id": {"id", "file_name", "width", "height", "set"}},
        "anns": {"id": {"id", "image_id", "bbox": [x, y, width, height], "utf8_string", "legibility", "language"}}}
    TextOCR 0.1 (textvqa.org/textocr)                    the same, with "points": [x1, y1, x2, y2, ...] and texts as ids

Words that nobody could read, "" or "." in the file, are left out and counted, and so are boxes outside their image. A
picture is its file_name, or the last part of it in whatever folder. The file is held in memory, as Python objects about
five times its size.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, parsed_file
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import MediaIndex
from embodio.datasets.annotations.parts.places import box_of_corner, box_of_outline
from embodio.model.tasks.base.family import Family
from embodio.model.tasks.locations.places import fault_of_box

_SCHEMA = "an object of COCO-Text with imgs and anns"
_UNREADABLE = ("", ".", "###")


def read_coco_text(file: Path, folder: Path, family: Family[Any], *, split: str = "") -> AnnotatedItems:
    """The words of each image, from the top down.

    Args:
        file: the annotations.
        folder: of the pictures.
        family: `read_text` takes all words of an image, `localise` those that are the same, `caption_region` each.
        split: takes the images of this set (train, val or test); "" for all.

    Raises:
        AnnotationError: the file is not one of COCO-Text.
    """
    content = parsed_file(file, dict, _SCHEMA)
    found, index = ItemList(file, folder, family), MediaIndex(folder, "image")
    with expecting(file, _SCHEMA):
        images = {str(key): row for key, row in content["imgs"].items() if split in ("", row.get("set"))}
        known = {str(key) for key in content["imgs"]}
        rows = content["anns"].values()
    several: dict[str, list[tuple[list[float], str]]] = defaultdict(list)
    for number, row in enumerate(rows):
        with expecting(f"{file}, number {number} of anns", "image_id, bbox or points, and utf8_string"):
            key, place = str(row["image_id"]), f"annotation {row.get('id', number)}"
            if key in known and key not in images:
                continue
            box = box_of_outline(row["points"]) if row.get("points") else box_of_corner(row["bbox"])
            text = str(row.get("utf8_string", "")).strip()
            size = (images[key]["height"], images[key]["width"]) if key in images else None
        if key not in images:
            found.leave_out("an image_id that no image has", place)
        elif text in _UNREADABLE:
            found.leave_out("a word that nobody could read", place)
        elif fault := fault_of_box(box, size):
            found.leave_out(fault, place)
        else:
            several[key].append((box, text))
    for key, words in several.items():
        with expecting(f"{file}, image {key}", "file_name"):
            name = index.find(PurePosixPath(str(images[key]["file_name"])).stem)
        if name is None:
            found.leave_out("a picture that is not in the media folder", f"image {key}")
            continue
        _add(found, key, name, sorted(words))
    return found.done()


def _add(found: ItemList, key: str, image: str, words: Sequence[tuple[list[float], str]]) -> None:
    """Adds the words of an image, from the top down."""
    place = f"image {key}"
    if found.family.name == "read_text":
        boxes, labels = [box for box, _ in words], [text for _, text in words]
        found.add(key, image, {"image": image, "boxes": boxes, "labels": labels}, place)
    elif found.family.name == "caption_region":
        for number, (box, text) in enumerate(words):
            found.add(f"{key}/{number}", image, {"image": image, "box": box, "text": text}, place)
    else:
        for text in dict.fromkeys(text for _, text in words):
            boxes = [box for box, one in words if one == text]
            values = {"image": image, "name": text, "boxes": boxes, "labels": [text] * len(boxes)}
            found.add(f"{key}/{text}", image, values, place)


READ = read_coco_text
FAMILIES = ("read_text", "localise", "caption_region")

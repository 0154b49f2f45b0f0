"""Referring expressions: RefCOCO, RefCOCO+ and RefCOCOg as JSON or Parquet; the pickles `refs(*.p)` are never read.

Three public forms, told apart by what they hold:

    JSON of MDETR (`finetune_refcoco_val.json`), in the format of COCO with one image for each expression:
        images       {"id", "file_name", "width", "height", "caption", "dataset_name", "original_id"}
        annotations  {"id", "image_id", "bbox": [x, y, width, height], and perhaps "segmentation"}
    rows of jxu124/refcoco and its like (Parquet, JSON lines), one for each object:
        {"ref_id", "image_path" or "file_name", "sentences": [{"sent"}, ...] or "captions": [...],
        "bbox": [x1, y1, x2, y2], and perhaps "raw_anns", JSON with a "segmentation", and "raw_image_info"}
    rows of lmms-lab/RefCOCO and its like, one for each object:
        {"question_id", "image", "answer": [text, ...], "bbox": [x, y, width, height], "segmentation"}

Each expression is an item. JSON is held in memory, as Python objects about five times its size; of tables only the
expressions are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.annotations.coco import CocoImage, images_of
from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, parsed_file
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.places import box_of_corner, box_of_corners, mask_of
from embodio.datasets.annotations.parts.rows import Rows, open_rows
from embodio.datasets.errors import AnnotationError
from embodio.model.tasks.base.family import Family
from embodio.model.tasks.locations.places import fault_of_box

_MDETR = "an object with images that have a caption, and annotations that have a bbox"
_ROW = "a row with expressions (sentences, captions or answer), an image and a bbox"


def read_refcoco(file: Path, folder: Path, family: Family[Any]) -> AnnotatedItems:
    """The expressions of a file: `refer` asks for the box, `segment` for the mask, `caption_region` for the text.

    Raises:
        AnnotationError: the file is in neither form, or lacks masks that the family needs.
    """
    if file.suffix == ".p":
        raise AnnotationError(f"{file}: pickles are never read, as they may run any code; fetch a JSON or Parquet form")
    found = ItemList(file, folder, family)
    if file.suffix == ".json":
        _from_mdetr(parsed_file(file, dict, _MDETR), found)
    else:
        _from_rows(open_rows(file), found)
    return found.done()


def _add(
    found: ItemList, key: object, image: Any, group: object, text: str, box: list[float], mask: Any, place: str
) -> None:
    """Adds an expression; `mask` makes its mask, or is None."""
    if not text.strip():
        found.leave_out("an empty expression", place)
        return
    values: dict[str, Any] = {"image": image}
    if found.family.name == "refer":
        values |= {"expression": text.strip(), "box": box}
    elif found.family.name == "caption_region":
        values |= {"text": text.strip(), "box": box}
    elif mask is None:
        raise AnnotationError(f"{found.file}, {place}: it lacks a segmentation, which masks need")
    else:
        values |= {"name": text.strip(), "mask": mask}
    found.add(key, group, values, place)


def _from_mdetr(content: Mapping[str, Any], found: ItemList) -> None:
    with expecting(found.file, _MDETR):
        images, texts = images_of(content), {row["id"]: row["caption"] for row in content["images"]}
        rows = content["annotations"]
    for number, row in enumerate(rows):
        place = f"number {number} of the annotations"
        with expecting(f"{found.file}, {place}", "image_id and bbox"):
            image, box = images.get(row["image_id"]), box_of_corner(row["bbox"])
        if image is None:
            found.leave_out("an image_id that no image has", place)
        elif fault := fault_of_box(box, image.size):
            found.leave_out(fault, place)
        else:
            mask = partial(_mask, row["segmentation"], image) if row.get("segmentation") else None
            _add(found, row.get("id", number), image.name, image.name, str(texts[image.key]), box, mask, place)


def _mask(segmentation: Any, image: CocoImage) -> npt.NDArray[np.bool_]:
    if image.size is None:
        raise ValueError(f"image {image.key} has no width and height, which its masks need")
    return mask_of(segmentation, image.size)


def _from_rows(rows: Rows, found: ItemList) -> None:
    for number in range(len(rows)):
        row, place = rows.row(number), rows.place(number)
        with expecting(f"{found.file}, {place}", _ROW):
            texts, box, image = _texts(row), _box(row), _image(row)
            key = row.get("ref_id", row.get("question_id", number))
            mask = _row_mask(row)
        if fault := fault_of_box(box, None):
            found.leave_out(fault, place)
            continue
        name = image if isinstance(image, str) else str(row.get("file_name", key))
        held = image if isinstance(image, str) else partial(_held_image, rows, number)
        for count, text in enumerate(texts):
            _add(found, f"{key}/{count}", held, name, text, box, mask, place)


def _texts(row: Mapping[str, Any]) -> Sequence[str]:
    """The expressions of a row."""
    if "sentences" in row and row["sentences"] is not None:
        return [str(one["sent"] if isinstance(one, Mapping) else one) for one in row["sentences"]]
    several = row["captions"] if "captions" in row else row["answer"]
    return [several] if isinstance(several, str) else [str(one) for one in several]


def _box(row: Mapping[str, Any]) -> list[float]:
    """The box; rows with questions and answers have width and height, the others the far corner."""
    return box_of_corner(row["bbox"]) if "answer" in row else box_of_corners(row["bbox"])


def _image(row: Mapping[str, Any]) -> Any:
    """The name of the picture; or the picture itself where the row holds it."""
    if isinstance(row.get("image"), Mapping):
        return row["image"]
    return row.get("image_path") or row.get("image") or row["file_name"]


def _held_image(rows: Rows, number: int) -> Any:
    from embodio.datasets.annotations.parts.media import read_image

    return read_image(rows.row(number)["image"], Path())


def _row_mask(row: Mapping[str, Any]) -> Any:
    """What makes the mask of a row; None where it has none."""
    if row.get("raw_anns"):
        annotation, image = json.loads(row["raw_anns"]), json.loads(row.get("raw_image_info") or "{}")
        if annotation.get("segmentation") and image.get("height") and image.get("width"):
            return partial(mask_of, annotation["segmentation"], (int(image["height"]), int(image["width"])))
    return None


READ = read_refcoco
FAMILIES = ("refer", "segment", "caption_region")

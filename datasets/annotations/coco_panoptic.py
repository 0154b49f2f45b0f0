"""Panoptic COCO: pictures of segment ids next to a JSON file, for masks of all pixels of a name.

Reads `panoptic_train2017.json` and its like (cocodataset.org, "Panoptic segmentation"; also Mapillary Vistas and
Cityscapes as exported by panopticapi):

    images       {"id", "file_name", "width", "height"}
    annotations  {"image_id", "file_name" of a PNG, "segments_info": [{"id", "category_id", "iscrowd"}, ...]}
    categories   {"id", "name", "isthing"}

The PNGs lie in the folder with the name of the file, such as panoptic_train2017; the id of a pixel is red + 256 green
+ 65536 blue. All of the file is held in memory, as Python objects about five times its size.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.annotations.coco import images_of, names_of
from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, parsed_file
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import read_numbers
from embodio.model.tasks.base.family import Family

_SCHEMA = "an object of panoptic COCO with images, annotations and categories"
_BYTES = np.array([1, 256, 65536])


def read_coco_panoptic(file: Path, folder: Path, family: Family[Any]) -> AnnotatedItems:
    """The items of a file: one for each name in each image.

    Raises:
        AnnotationError: the file is not one of panoptic COCO.
    """
    content = parsed_file(file, dict, _SCHEMA)
    found = ItemList(file, folder, family)
    with expecting(file, _SCHEMA):
        images, names, rows = images_of(content), names_of(content), content["annotations"]
    for number, row in enumerate(rows):
        place, several = f"number {number} of the annotations", defaultdict(list)
        with expecting(f"{file}, {place}", "image_id, file_name and segments_info"):
            image, drawing, segments = images.get(row["image_id"]), row["file_name"], row["segments_info"]
            if image is None:
                found.leave_out("an image_id that no image has", place)
                continue
            for segment in segments:
                name = names.get(segment["category_id"])
                if name is None:
                    found.leave_out("a category_id without a name", f"segment {segment['id']} of image {image.key}")
                else:
                    several[name].append(int(segment["id"]))
        for name, ids in several.items():
            mask = partial(_mask, drawing, file.with_suffix(""), tuple(ids))
            values = {"image": image.name, "name": name, "mask": mask}
            found.add(f"{image.key}/{name}", image.name, values, f"image {image.key}")
    return found.done()


def _mask(name: str, folder: Path, ids: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """The pixels of some segments, bool [height, width]."""
    pixels = read_numbers(name, folder)
    if pixels.ndim != 3 or pixels.shape[2] < 3:
        raise ValueError(f"{name} has the shape {pixels.shape}, expected red, green and blue")
    return np.isin(pixels[..., :3] @ _BYTES, ids)


READ = read_coco_panoptic
FAMILIES = ("segment",)

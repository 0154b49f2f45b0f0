"""Label maps: pictures whose pixels are numbers of classes, for masks of all pixels of a name.

The annotations are a folder of PNGs, each of the picture with its name but for an ending of the stem:

    ADE20K, SceneParse150      annotations/validation/ADE_val_00000001.png of images/validation/ADE_val_00000001.jpg;
        names are in objectInfo150.txt: Idx, Ratio, Train, Val, Stuff, Name ("wall, building, edifice")
    Cityscapes                 ..._gtFine_labelIds.png of ..._leftImg8bit.png
        reading: {target: _gtFine_labelIds, picture: _leftImg8bit, names: {7: road, 8: sidewalk, 26: car}}
    COCO-Stuff, pixel maps     000000000139.png, numbers are ids less one; names are in labels.txt: "0: unlabeled"
        reading: {names: labels.txt, shift: 1}
    Pascal VOC, Pascal Context, Mapillary, ...

Numbers without a name are not asked for. Every map is looked through once for the numbers in it, and nothing but those
is held in memory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, file_text
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import MediaIndex, read_numbers
from embodio.datasets.errors import AnnotationError
from embodio.model.tasks.base.family import Family

_NAMED = re.compile(r"\s*(\d+)\s*[:,;\t ]\s*(.+)")


def read_label_maps(
    file: Path,
    folder: Path,
    family: Family[Any],
    *,
    names: str | Mapping[Any, str],
    target: str = "",
    picture: str = "",
    shift: int = 0,
) -> AnnotatedItems:
    """The names in the pictures of a folder, each with its mask.

    Args:
        file: folder of the maps, at any depth.
        folder: of the pictures, at any depth.
        family: `segment`.
        names: number -> name; or a text file of them in the folder of the maps or above it, with a number and a name in
            each line, or tables of ADE20K. Of several names after commas the first is taken.
        target: how the stems of maps end.
        picture: how the stems of pictures end.
        shift: is added to the numbers of the pixels before their names are looked up.

    Raises:
        AnnotationError: the annotations are not a folder, or the file of names is not there or has none.
    """
    if not file.is_dir():
        raise AnnotationError(f"{file}: expected a folder of maps")
    known = {int(key): str(name) for key, name in names.items()} if isinstance(names, Mapping) else _read(file, names)
    found, index = ItemList(file, folder, family), MediaIndex(folder, "image")
    for path in sorted(file.rglob(f"*{target}.png")):
        name = path.relative_to(file).as_posix()
        with expecting(f"{file}, map {name}", "one picture of its name, and a number for each pixel"):
            image = index.find(path.stem.removesuffix(target) + picture)
            numbers = np.unique(_map(name, file, shift)).tolist() if image is not None else []
        if image is None or (folder / image).resolve() == path.resolve():
            found.leave_out("a map whose picture is not in the media folder", f"map {name}")
            continue
        for number in numbers:
            words = known.get(number, "").partition(",")[0].strip()
            if words:
                values = {"image": image, "name": words, "mask": partial(_mask, name, file, shift, number)}
                found.add(f"{name}/{number}", image, values, f"map {name}")
    return found.done()


def _map(name: str, folder: Path, shift: int) -> npt.NDArray[np.int64]:
    """The numbers of the pixels, int64 [H, W]."""
    pixels = read_numbers(name, folder)
    if pixels.ndim != 2:
        raise ValueError(f"it has the shape {pixels.shape}")
    return pixels.astype(np.int64) + shift


def _mask(name: str, folder: Path, shift: int, number: int) -> npt.NDArray[np.bool_]:
    """The pixels of a number, bool [H, W]."""
    return np.asarray(_map(name, folder, shift) == number)


def _read(file: Path, names: str) -> dict[int, str]:
    """Number -> name of a text file."""
    place = next((one / names for one in (file, *file.parents[:3]) if (one / names).is_file()), None)
    if place is None or Path(names).name != names:
        raise AnnotationError(f"{file}: names: there is no {names!r} in the folder, or up to three above it")
    found: dict[int, str] = {}
    for line in file_text(place).splitlines():
        columns = line.split("\t")
        if len(columns) > 2 and columns[0].strip().isdigit():  # a table of ADE20K
            found[int(columns[0])] = columns[-1]
        elif matched := _NAMED.fullmatch(line):
            found[int(matched[1])] = matched[2]
    if not found:
        raise AnnotationError(f"{place}: it has no lines with a number and a name")
    return found


READ = read_label_maps
FAMILIES = ("segment",)

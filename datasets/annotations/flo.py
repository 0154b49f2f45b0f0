"""Optical flow in .flo files: FlyingChairs and MPI Sintel, folders with two frames and the movement between them.

    FlyingChairs (`data`)      00001_img1.ppm, 00001_img2.ppm, 00001_flow.flo
    Sintel (`training`)        flow/alley_1/frame_0001.flo; the frames are frame_0001.png and frame_0002.png in
                               clean/alley_1 or final/alley_1

(lmb.informatik.uni-freiburg.de, sintel.is.tue.mpg.de; mmflow, docs/en/data_prepare). A .flo file is the float
202021.25, width and height as int32, and for each pixel its movement to the right and down in float32, all of them
little-endian (vision.middlebury.edu/flow). Nothing but names is held in memory.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.annotations.parts.item import AnnotatedItems
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.errors import AnnotationError
from embodio.datasets.files.names import inside
from embodio.model.tasks.base.family import Family

_SIGN = np.float32(202021.25)
_HEAD = 12  # bytes
_UNKNOWN = 1e9
_FRAME = re.compile(r"(.*_)(\d+)")


def read_flo(file: Path, folder: Path, family: Family[Any], *, rendering: str = "final") -> AnnotatedItems:
    """The pairs of frames of a folder.

    Args:
        file: the folder.
        folder: not used, as the frames are in it.
        family: `flow`.
        rendering: of Sintel, clean or final.

    Raises:
        AnnotationError: the annotations are not a folder, or there is no flow in it.
    """
    if not file.is_dir():
        raise AnnotationError(f"{file}: expected a folder with .flo files")
    found = ItemList(file, file, family)
    for path in sorted(file.rglob("*.flo")):
        name = path.relative_to(file).as_posix()
        first, second = _frames(name, rendering)
        if not (file / first).is_file() or not (file / second).is_file():
            found.leave_out("a movement whose frames are not there", f"file {name}")
            continue
        values = {"image_history": [first], "image": second, "flow": partial(_read_file, name, file)}
        found.add(name, first.rpartition("/")[0] or first, values, f"file {name}")
    return found.done()


def _frames(name: str, rendering: str) -> tuple[str, str]:
    """The names of the two frames."""
    stem = name.removesuffix(".flo")
    if stem.endswith("_flow"):
        stem = stem.removesuffix("_flow")
        return f"{stem}_img1.ppm", f"{stem}_img2.ppm"
    matched = _FRAME.fullmatch(stem.replace("flow/", f"{rendering}/", 1))
    if matched is None:
        return stem, stem
    number = matched[2]
    return f"{matched[1]}{number}.png", f"{matched[1]}{int(number) + 1:0{len(number)}d}.png"


def _read_file(name: str, folder: Path) -> npt.NDArray[np.float32]:
    return flow_of(inside(folder, name, folder).read_bytes())


def flow_of(data: bytes) -> npt.NDArray[np.float32]:
    """The movements of a .flo file, float32 [H, W, 2] as (down, right) in pixels.

    Raises:
        ValueError: it is not one, is cut off, or a movement is unknown.
    """
    if len(data) < _HEAD or np.frombuffer(data, "<f4", 1)[0] != _SIGN:
        raise ValueError("not a .flo file: it does not begin with 202021.25")
    width, height = (int(side) for side in np.frombuffer(data, "<i4", 2, 4))
    if min(width, height) < 1 or len(data) != _HEAD + 8 * width * height:
        raise ValueError(f"{len(data)} bytes, where {width} x {height} movements need {_HEAD + 8 * width * height}")
    found = np.frombuffer(data, "<f4", offset=_HEAD).reshape(height, width, 2)
    if not (np.abs(found) < _UNKNOWN).all():
        raise ValueError("the movement of a pixel is unknown")
    return np.ascontiguousarray(found[..., ::-1], dtype=np.float32)


READ = read_flo
FAMILIES = ("flow",)

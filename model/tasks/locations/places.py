"""Places in an image: the types of boxes, points and maps of pixels in annotations, and what is wrong with one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt

Box = Annotated[npt.NDArray[np.float32], "box"]
"""float [4] as (y1, x1, y2, x2) in pixels of the main image."""

Boxes = Annotated[npt.NDArray[np.float32], "boxes"]
"""float [N, 4], each as a `Box`."""

Point = Annotated[npt.NDArray[np.float32], "point"]
"""float [2] as (y, x) in pixels of the main image."""

PixelNumbers = Annotated[npt.NDArray[np.float32], "map"]
"""float32 [H, W, ...] of the height and width of the main image."""

PixelMask = Annotated[npt.NDArray[np.bool_], "map"]
"""bool [H, W] of the height and width of the main image."""

SPILL = 1.0
"""Pixels that a place may stick out of its image, as boxes of public data sets that were rounded do."""

Size = tuple[float, float]


def fault_of_box(box: Sequence[float], size: Size | None) -> str:
    """Why (y1, x1, y2, x2) is not a box inside an image of (height, width); "" if it is one.

    Without a size only the area is looked at.
    """
    if not all(map(math.isfinite, box)):
        return "a box with a number that is undefined"
    top, left, bottom, right = box
    if bottom <= top or right <= left:
        return "a box without an area"
    if size is not None and (min(top, left) < -SPILL or bottom > size[0] + SPILL or right > size[1] + SPILL):
        return "a box outside its image"
    return ""


def fault_of_point(point: Sequence[float], size: Size) -> str:
    """Why (y, x) is not a point inside an image of (height, width); "" if it is one."""
    if not all(map(math.isfinite, point)):
        return "a point with a number that is undefined"
    inside = all(-SPILL <= one <= side + SPILL for one, side in zip(point, size, strict=True))
    return "" if inside else "a point outside its image"

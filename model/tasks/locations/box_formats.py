"""Box formats of other programs: corners in pixels or as fractions of the sides, y or x first."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from embodio.model.processing.image import GeometryError

BoxFormat = Literal["yx_pixels", "yx_unit", "xy_pixels"]
"""(y1, x1, y2, x2) in pixels, the format of this package; the same as fractions of the image's height and width, as in
the JAX code; or (x1, y1, x2, y2) in pixels, as in the PyTorch port."""

Boxes = npt.NDArray[np.float32]


def boxes_to_pixels(boxes: npt.ArrayLike, box_format: BoxFormat, size: tuple[int, int]) -> Boxes:
    """Converts boxes [N, 4] to (y1, x1, y2, x2) in pixels of an image of size (height, width), float32 [N, 4].

    Products are float32 as in the references; in float64 some boxes would get a different token.

    Raises:
        GeometryError: the format is unknown, or the boxes are not [N, 4].
    """
    array, factors = _checked(boxes, box_format, size)
    return array[:, [1, 0, 3, 2]] if box_format == "xy_pixels" else array * factors


def boxes_from_pixels(boxes: npt.ArrayLike, box_format: BoxFormat, size: tuple[int, int]) -> Boxes:
    """The inverse of `boxes_to_pixels`; raises the same errors."""
    array, factors = _checked(boxes, box_format, size)
    return array[:, [1, 0, 3, 2]] if box_format == "xy_pixels" else array / factors


def _checked(boxes: npt.ArrayLike, box_format: BoxFormat, size: tuple[int, int]) -> tuple[Boxes, Boxes]:
    """The boxes as an array, and the pixels per unit of each column."""
    if box_format not in ("yx_pixels", "yx_unit", "xy_pixels"):
        raise GeometryError(f"box_format {box_format!r} is not known; choose 'yx_pixels', 'yx_unit' or 'xy_pixels'")
    array = np.asarray(boxes, dtype=np.float32)
    if array.ndim != 2 or array.shape[1] != 4:
        raise GeometryError(f"boxes: expected [N, 4], found the shape {array.shape}")
    return array, np.array([*size, *size] if box_format == "yx_unit" else [1.0] * 4, dtype=np.float32)

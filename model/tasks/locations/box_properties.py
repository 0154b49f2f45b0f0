"""Properties of boxes: sizes, edges, corners, halves and other formats, and what two boxes have in common.

Of a box (y1, x1, y2, x2) = (10, 20, 30, 60) in an image of 100 x 100 pixels, the width is 40, the centre (20, 40), and
the box as left, top, width and height (20, 10, 40, 20).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from embodio.model.processing.image import ImageFit

Doubles = npt.NDArray[np.float64]
Quantity = Literal["y", "x", "height", "width", "area"]
"""What a number is: a place, a length or an area; it says how many pixels the number changes by on a canvas."""


@dataclass(frozen=True)
class BoxProperty:
    """A property of a box or of a pair of boxes.

    Attributes:
        words: what it is called in prompts.
        quantities: of its K values.
        of: (boxes float64 [N, 4], (height, width) of the image) -> float64 [N, K] in pixels; of a pair [2, 4] ->
            [1, K].
    """

    words: str
    quantities: tuple[Quantity, ...]
    of: Callable[[Doubles, tuple[int, int]], Doubles]

    def to_canvas(self, values: Doubles, fit: ImageFit) -> Doubles:
        """Values [N, K] in pixels of the image as shares of the canvas."""
        factors, offsets = self._placement(fit)
        return np.asarray(values, dtype=np.float64) * factors + offsets

    def from_canvas(self, shares: Doubles, fit: ImageFit) -> Doubles:
        """The inverse of `to_canvas`."""
        factors, offsets = self._placement(fit)
        return (np.asarray(shares, dtype=np.float64) - offsets) / factors

    def shares(self, values: Doubles, size: tuple[int, int]) -> Doubles:
        """Values [N, K] in pixels as shares of the height, width or area of an image of size (height, width)."""
        whole = {"y": size[0], "x": size[1], "height": size[0], "width": size[1], "area": size[0] * size[1]}
        return np.asarray(values, dtype=np.float64) / [whole[one] for one in self.quantities]

    def _placement(self, fit: ImageFit) -> tuple[Doubles, Doubles]:
        height, width = fit.canvas
        down, across = fit.scale / height, fit.scale / width
        factors = {"y": down, "x": across, "height": down, "width": across, "area": down * across}
        offsets = {"y": fit.top / height, "x": fit.left / width}
        chosen = [factors[one] for one in self.quantities]
        return np.array(chosen, dtype=np.float64), np.array([offsets.get(one, 0.0) for one in self.quantities])


def _columns(*names: str) -> Callable[[Doubles, tuple[int, int]], Doubles]:
    """Picks from the corners, the centre and the size of boxes."""

    def of(boxes: Doubles, size: tuple[int, int]) -> Doubles:
        top, left, bottom, right = boxes.T
        known = {"top": top, "left": left, "bottom": bottom, "right": right}
        known |= {"middle": (top + bottom) / 2, "centre": (left + right) / 2}
        known |= {"height": bottom - top, "width": right - left, "area": (bottom - top) * (right - left)}
        known |= {"below": size[0] - bottom, "beyond": size[1] - right}
        return np.stack([known[name] for name in names], axis=1)

    return of


_BOX: tuple[Quantity, ...] = ("y", "x", "y", "x")
_POINT: tuple[Quantity, ...] = ("y", "x")

BOX_PROPERTIES: Mapping[str, BoxProperty] = {
    "width": BoxProperty("width", ("width",), _columns("width")),
    "height": BoxProperty("height", ("height",), _columns("height")),
    "area": BoxProperty("area", ("area",), _columns("area")),
    "centre": BoxProperty("centre as y and x", _POINT, _columns("middle", "centre")),
    "top_left": BoxProperty("upper left corner as y and x", _POINT, _columns("top", "left")),
    "top_right": BoxProperty("upper right corner as y and x", _POINT, _columns("top", "right")),
    "bottom_left": BoxProperty("lower left corner as y and x", _POINT, _columns("bottom", "left")),
    "bottom_right": BoxProperty("lower right corner as y and x", _POINT, _columns("bottom", "right")),
    "from_left": BoxProperty("distance from the left edge of the image", ("width",), _columns("left")),
    "from_right": BoxProperty("distance from the right edge of the image", ("width",), _columns("beyond")),
    "from_top": BoxProperty("distance from the upper edge of the image", ("height",), _columns("top")),
    "from_bottom": BoxProperty("distance from the lower edge of the image", ("height",), _columns("below")),
    "left_half": BoxProperty("left half as a box", _BOX, _columns("top", "left", "bottom", "centre")),
    "right_half": BoxProperty("right half as a box", _BOX, _columns("top", "centre", "bottom", "right")),
    "top_half": BoxProperty("upper half as a box", _BOX, _columns("top", "left", "middle", "right")),
    "bottom_half": BoxProperty("lower half as a box", _BOX, _columns("middle", "left", "bottom", "right")),
    "xyxy": BoxProperty(
        "box as left, top, right, bottom", ("x", "y", "x", "y"), _columns("left", "top", "right", "bottom")
    ),
    "xywh": BoxProperty(
        "box as left, top, width, height", ("x", "y", "width", "height"), _columns("left", "top", "width", "height")
    ),
    "yxhw": BoxProperty(
        "box as top, left, height, width", ("y", "x", "height", "width"), _columns("top", "left", "height", "width")
    ),
    "centre_size": BoxProperty(
        "box as centre y, centre x, height, width",
        ("y", "x", "height", "width"),
        _columns("middle", "centre", "height", "width"),
    ),
}
"""Properties of one box."""


def _union(boxes: Doubles, size: tuple[int, int]) -> Doubles:
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])[None]


def _shared_area(boxes: Doubles, size: tuple[int, int]) -> Doubles:
    sides = np.maximum(boxes[:, 2:].min(axis=0) - boxes[:, :2].max(axis=0), 0)
    return sides.prod()[None, None]


def _extreme(column: str, largest: bool) -> Callable[[Doubles, tuple[int, int]], Doubles]:
    """The box of the largest or smallest value; the first one of equals."""
    measure = _columns(column)

    def of(boxes: Doubles, size: tuple[int, int]) -> Doubles:
        values = measure(boxes, size)[:, 0]
        return boxes[int(np.argmax(values) if largest else np.argmin(values))][None]

    return of


PAIR_PROPERTIES: Mapping[str, BoxProperty] = {
    "union": BoxProperty("smallest box that contains both", _BOX, _union),
    "shared_area": BoxProperty("area that both boxes share", ("area",), _shared_area),
    "larger": BoxProperty("box of the larger one", _BOX, _extreme("area", True)),
    "smaller": BoxProperty("box of the smaller one", _BOX, _extreme("area", False)),
    "leftmost": BoxProperty("box of the one further to the left", _BOX, _extreme("centre", False)),
    "rightmost": BoxProperty("box of the one further to the right", _BOX, _extreme("centre", True)),
    "highest": BoxProperty("box of the upper one", _BOX, _extreme("middle", False)),
    "lowest": BoxProperty("box of the lower one", _BOX, _extreme("middle", True)),
}
"""Properties of two boxes."""

"""Places in pictures as public formats write them: boxes, polygons and run lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_FINER = 5  # points of an outline to a pixel, along each side
_OFFSET, _DIGIT, _MORE, _NEGATIVE = 48, 5, 0x20, 0x10  # of a character of run lengths
_MOST_PIXELS = 1 << 28


def box_of_corner(box: Sequence[float]) -> list[float]:
    """(x, y, width, height) as (y1, x1, y2, x2); pixel x covers [x, x + 1), so that x + width is the right edge."""
    left, top, width, height = (float(one) for one in box)
    return [top, left, top + height, left + width]


def box_of_corners(box: Sequence[float]) -> list[float]:
    """(x1, y1, x2, y2) as (y1, x1, y2, x2)."""
    left, top, right, bottom = (float(one) for one in box)
    return [top, left, bottom, right]


def box_of_outline(outline: Sequence[float]) -> list[float]:
    """The box (y1, x1, y2, x2) around points (x1, y1, x2, y2, ...); raises ValueError for fewer than two points."""
    if len(outline) < 4 or len(outline) % 2:
        raise ValueError(f"an outline of {len(outline)} numbers, expected x and y of at least two points")
    columns, rows = [float(one) for one in outline[::2]], [float(one) for one in outline[1::2]]
    return [min(rows), min(columns), max(rows), max(columns)]


def mask_of(segmentation: Any, size: tuple[int, int]) -> Bools:
    """The mask of a `segmentation` in the format of COCO.

    Args:
        segmentation: polygons [[x1, y1, x2, y2, ...], ...], or run lengths {"size": [height, width], "counts": ...}
            with counts as a list or as COCO's text.
        size: (height, width) of the image.

    Returns:
        bool [height, width], to the pixel that of COCO's own library.

    Raises:
        ValueError: it is neither, or of another size.
    """
    if isinstance(segmentation, Mapping):
        found = tuple(int(side) for side in segmentation["size"])
        if found != size:
            raise ValueError(f"run lengths of an image of {found} pixels, where the image has {size}")
        return _from_runs(segmentation["counts"], size)
    if not isinstance(segmentation, Sequence) or isinstance(segmentation, str) or not len(segmentation):
        raise ValueError(f"expected polygons or run lengths, found {segmentation!r}")
    several = [segmentation] if isinstance(segmentation[0], int | float) else segmentation
    mask = np.zeros(size, dtype=bool)
    for outline in several:
        mask |= _inside_outline(outline, size)
    return mask


def read_counts(text: str) -> list[int]:
    """Run lengths from COCO's text: numbers of 5 bits a character, from the fourth on as differences to two before.

    Raises:
        ValueError: a character is not one of it, or the last number is cut off.
    """
    counts: list[int] = []
    value, place = 0, 0
    for character in text:
        code = ord(character) - _OFFSET
        if not 0 <= code < 2 * _MORE:
            raise ValueError(f"the run lengths hold the character {character!r}")
        value |= (code & (_MORE - 1)) << place
        place += _DIGIT
        if code & _MORE:
            continue
        if code & _NEGATIVE:
            value -= 1 << place
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value, place = 0, 0
    if place:
        raise ValueError("the run lengths end inside a number")
    return counts


def _from_runs(counts: Any, size: tuple[int, int]) -> Bools:
    """Run lengths down the columns, the first of pixels outside."""
    text = counts.decode("ascii") if isinstance(counts, bytes) else counts
    runs = np.asarray(read_counts(text) if isinstance(text, str) else text, dtype=np.int64)
    height, width = size
    if not 0 < height * width <= _MOST_PIXELS:
        raise ValueError(f"an image of {height} x {width} pixels")
    if (runs < 0).any() or runs.sum() != height * width:
        raise ValueError(f"run lengths over {int(runs.sum())} pixels, where the image has {height * width}")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T


def _inside_outline(outline: Any, size: tuple[int, int]) -> Bools:
    """The pixels inside a polygon, bool [height, width].

    The outline is walked in steps of a fifth of a pixel. Where it crosses from one column of centres to the next, all
    below in that column changes sides.
    """
    points = np.asarray(outline, dtype=np.float64)
    if points.ndim != 1 or len(points) < 6 or len(points) % 2 or not np.isfinite(points).all():
        raise ValueError("a polygon needs x and y of at least three points")
    height, width = size
    columns, rows = _walk(np.trunc(_FINER * points.reshape(-1, 2) + 0.5).astype(np.int64))
    steps = np.flatnonzero(np.diff(columns))
    left = np.minimum(columns[steps], columns[steps + 1])
    at = (left + 0.5) / _FINER - 0.5
    kept = (at == np.floor(at)) & (at >= 0) & (at <= width - 1)
    upper = np.minimum(rows[steps], rows[steps + 1])[kept]
    first = np.ceil(np.clip((upper + 0.5) / _FINER - 0.5, 0, height)).astype(np.int64)
    changes = np.bincount(at[kept].astype(np.int64) * height + first, minlength=height * width + 1)
    return (np.cumsum(changes[: height * width]) % 2 == 1).reshape(width, height).T


def _walk(points: Ints) -> tuple[Ints, Ints]:
    """Columns and rows of all steps around a polygon [N, 2]; the longer side of each edge is walked step by step."""
    columns, rows = [], []
    for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
        across, down = np.abs(end - start).tolist()
        axis = 0 if across >= down else 1
        back = start[axis] > end[axis]
        low, high = (end, start) if back else (start, end)
        length = max(across, down)
        steps = np.arange(length + 1)[:: -1 if back else 1]
        slope = (high[1 - axis] - low[1 - axis]) / length if length else 0.0
        along, other = low[axis] + steps, np.trunc(low[1 - axis] + slope * steps + 0.5).astype(np.int64)
        columns.append(along if axis == 0 else other)
        rows.append(other if axis == 0 else along)
    return np.concatenate(columns), np.concatenate(rows)

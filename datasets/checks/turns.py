"""Orientations of an image: upright, rotated or mirrored, or with its colours swapped."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def orientations(image: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """Orientation -> the image [H, W, ...] in it."""
    return {
        "upright": image,
        "upside down": image[::-1, ::-1],
        "flipped top to bottom": image[::-1],
        "mirrored left to right": image[:, ::-1],
    }


def with_swapped_colours(image: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """As `orientations`, and the image [H, W, 3] with red and blue swapped."""
    return orientations(image) | {"red and blue swapped": image[..., ::-1]}


def nearest_orientation(frame: npt.NDArray[Any], upright: npt.NDArray[Any]) -> str:
    """The orientation that brings an image nearest to another, both uint8 [H, W, 3] of one size."""
    if frame.shape != upright.shape:
        return f"of shape {frame.shape}, which cannot be compared with {upright.shape}"
    wanted, ways = upright.astype(np.float64), with_swapped_colours(frame)
    return min(ways, key=lambda way: float(np.abs(ways[way] - wanted).mean()))

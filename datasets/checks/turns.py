"""Ways in which an image may lie: upright, turned or mirrored, or with its colours swapped."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def turned(image: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """Each way by name -> the image [H, W, ...] put so."""
    return {
        "upright": image,
        "upside down": image[::-1, ::-1],
        "flipped top to bottom": image[::-1],
        "mirrored left to right": image[:, ::-1],
    }


def with_swapped_colours(image: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """As `turned`, and the image [H, W, 3] with red and blue swapped."""
    return turned(image) | {"red and blue swapped": image[..., ::-1]}


def nearest_turn(frame: npt.NDArray[Any], upright: npt.NDArray[Any]) -> str:
    """Which way of turning an image brings it nearest to another, both uint8 [H, W, 3] of one size."""
    if frame.shape != upright.shape:
        return f"of shape {frame.shape}, which cannot be compared with {upright.shape}"
    wanted, ways = upright.astype(np.float64), with_swapped_colours(frame)
    return min(ways, key=lambda way: float(np.abs(ways[way] - wanted).mean()))

"""Slide: the picture of a camera that looks straight down is moved, and the positions in the actions with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.errors import DatasetError
from embodio.envs.embodiment import ActionSpec, Camera
from embodio.model.processing.image import Frame, moved


@dataclass(frozen=True)
class Slide:
    """One draw, for all moments of an episode.

    Attributes:
        down: rows by which pictures move.
        right: columns by which they move.
        offset: float64 [A], by which actions move.
    """

    down: int
    right: int
    offset: npt.NDArray[np.float64]

    def frame(self, frame: Frame) -> Frame:
        """Moves a frame, uint8 [H, W, 3] -> uint8 [H, W, 3]."""
        return moved(frame, self.down, self.right)

    def actions(self, actions: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
        """Moves actions [n, A]; the type is kept."""
        return np.asarray(actions + self.offset, dtype=actions.dtype)


def draw_slide(
    config: AugmentConfig,
    draws: tuple[float, float],
    cameras: Sequence[Camera],
    action: ActionSpec,
    actions: npt.NDArray[np.floating[Any]],
) -> Slide:
    """The slide of one episode, by whole pixels, after which every action is still inside its limits.

    Args:
        config: how far, and which dimensions of the action move with rows and columns.
        draws: numbers in [0, 1), for rows and columns.
        cameras: those that the policy reads.
        action: what the numbers of an action mean.
        actions: all actions of the episode, [T, A].

    Raises:
        DatasetError: there are several cameras, or the action has no such dimension.
    """
    if len(cameras) != 1:
        names = ", ".join(camera.name for camera in cameras) or "none"
        raise DatasetError(f"augment.slide: it needs one camera, which looks straight down; the policy reads {names}")
    [camera] = cameras
    offset = np.zeros(len(action.dimensions))
    axes = ((draws[0], config.slide_down, camera.height), (draws[1], config.slide_right, camera.width))
    down, right = (
        _along(draw, config.slide, size, action, _places(names, action), actions, offset) for draw, names, size in axes
    )
    return Slide(down, right, offset)


def _along(
    draw: float,
    slide: float,
    size: int,
    action: ActionSpec,
    places: Sequence[int],
    actions: npt.NDArray[np.floating[Any]],
    offset: npt.NDArray[np.float64],
) -> int:
    """Pixels along an axis of `size` pixels; writes by how much the dimensions at `places` move into `offset` [A]."""
    low, high = -slide, slide
    for place in places:
        dimension, values = action.dimensions[place], actions[:, place]
        span = dimension.high - dimension.low
        low = max(low, (dimension.low - float(values.min())) / span)
        high = min(high, (dimension.high - float(values.max())) / span)
    least, most = min(0, math.ceil(size * low)), max(0, math.floor(size * high))
    pixels = least + int(draw * (most - least + 1))
    for place in places:
        offset[place] = pixels / size * (action.dimensions[place].high - action.dimensions[place].low)
    return pixels


def _places(names: Sequence[str], action: ActionSpec) -> list[int]:
    known = [dimension.name for dimension in action.dimensions]
    for name in names:
        if name not in known:
            raise DatasetError(f"augment.slide_down and slide_right: no action has {name!r}; it has {', '.join(known)}")
    return [known.index(name) for name in names]

"""Segmentation by direction: a mask of the surfaces that face up, down, left, right or the camera, of surface normals.

A pixel with the normal (x, y, z) = (0.1, 0.9, 0.4) faces up: its angle to (0, 1, 0) is 25 degrees, less than 45. So
it is white in the answer to "surfaces that face up".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation, one_of
from embodio.model.tasks.families.normals import NormalsItem
from embodio.model.tasks.families.segment import Segmented

DIRECTIONS = {
    "up": (0.0, 1.0, 0.0),
    "down": (0.0, -1.0, 0.0),
    "to the right": (1.0, 0.0, 0.0),
    "to the left": (-1.0, 0.0, 0.0),
    "the camera": (0.0, 0.0, 1.0),
}
"""In the axes of our normals: x to the right, y up, z towards the camera."""

WIDEST = 45.0
"""Largest angle in degrees between a surface and the direction that it faces."""


def segment_facing(
    annotations: Sequence[NormalsItem], generator: np.random.Generator, classes: Sequence[str]
) -> Segmented | None:
    """The surfaces that face a direction, drawn among those that some surface faces; None without normals."""
    normals = annotations[0].normals
    if normals is None:
        return None
    limit = np.cos(np.radians(WIDEST))
    masks = {name: np.asarray(normals @ np.array(axis, dtype=np.float32) > limit) for name, axis in DIRECTIONS.items()}
    seen = [name for name, mask in masks.items() if mask.any()]
    if not seen:
        return None
    facing = one_of(seen, generator)
    return Segmented(media=annotations[0].media, facing=facing, mask=masks[facing])


AUGMENTATION = TaskAugmentation(takes=("normals",), make=segment_facing, gives="segment")

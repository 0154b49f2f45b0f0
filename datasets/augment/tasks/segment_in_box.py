"""Segmentation within a box: the pixels of one to four classes that lie in a region of the image.

With the mask of "cup" in an image of 100 x 100 pixels, the region may be drawn as (y1, x1, y2, x2) = (10, 0, 60, 50):
the answer is the mask of "cup" there, and black in all other rows and columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation
from embodio.datasets.augment.tasks.parts.masks import drawn_union
from embodio.model.tasks.families.segment import Segmented

SMALLEST_SIDE = 0.25
"""Of a region, as a share of the image's side."""


def segment_in_box(
    annotations: Sequence[Segmented], generator: np.random.Generator, classes: Sequence[str]
) -> Segmented | None:
    """The classes in a random region; None unless the first annotation asks for a whole class."""
    drawn = drawn_union(annotations, generator, classes, 1)
    if drawn is None:
        return None
    names, whole = drawn
    sides = np.array(whole.shape)
    size = np.maximum(np.rint(sides * generator.uniform(SMALLEST_SIDE, 1, 2)), 1).astype(int)
    low = generator.integers(0, sides - size, endpoint=True)
    (top, left), (bottom, right) = low, low + size
    inside = np.zeros_like(whole)
    inside[top:bottom, left:right] = whole[top:bottom, left:right]
    box = np.array([top, left, bottom, right], dtype=np.float32)
    return Segmented(media=annotations[0].media, names=names, box=box, mask=inside)


AUGMENTATION = TaskAugmentation(takes=("segment",), make=segment_in_box)

"""Segmentation of the complement: a mask of the pixels that belong to none of one to four classes.

With the masks of "cup" and "dog", the request may be for what is not "dog": the answer is white wherever the mask of
"dog" is not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation
from embodio.datasets.augment.tasks.parts.masks import drawn_union
from embodio.model.tasks.families.segment import Segmented


def segment_complement(
    annotations: Sequence[Segmented], generator: np.random.Generator, classes: Sequence[str]
) -> Segmented | None:
    """What belongs neither to the first annotation's class nor to others; None unless it asks for a whole class."""
    drawn = drawn_union(annotations, generator, classes, 1)
    if drawn is None:
        return None
    names, whole = drawn
    return Segmented(media=annotations[0].media, names=names, complement=True, mask=~whole)


AUGMENTATION = TaskAugmentation(takes=("segment",), make=segment_complement)

"""Segmentation of the complement: a mask of the pixels that belong to none of one to four classes.

With the masks of "cup" and "dog", the request may be for what is not "dog": the answer is white wherever the mask of
"dog" is not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation
from embodio.datasets.augment.tasks.parts.masks import drawn_classes, mask_of, masks_by_class
from embodio.model.tasks.families.segment import Segmented


def segment_complement(
    annotations: Sequence[Segmented], generator: np.random.Generator, classes: Sequence[str]
) -> Segmented | None:
    """What belongs neither to the first annotation's class nor to others; None unless it asks for a whole class."""
    masks = masks_by_class(annotations)
    if annotations[0].name not in masks:
        return None
    names = drawn_classes(masks, annotations[0].name, generator, classes, 1)
    return Segmented(media=annotations[0].media, names=names, complement=True, mask=~mask_of(masks, names))


AUGMENTATION = TaskAugmentation(takes=("segment",), make=segment_complement)

"""Segmentation of several classes: one mask of all objects of two to four classes, some of which may be absent.

With the masks of "cup" and "dog", and "cat" among the classes of the data set, the request may be for "dog", "cat",
"cup": the answer is the union of the masks of "dog" and "cup".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation
from embodio.datasets.augment.tasks.parts.masks import drawn_classes, mask_of, masks_by_class
from embodio.model.tasks.families.segment import Segmented


def segment_union(
    annotations: Sequence[Segmented], generator: np.random.Generator, classes: Sequence[str]
) -> Segmented | None:
    """The union of the first annotation's class and others; None unless there are two classes to name."""
    masks = masks_by_class(annotations)
    if annotations[0].name not in masks:
        return None
    names = drawn_classes(masks, annotations[0].name, generator, classes, 2)
    if len(names) < 2:
        return None
    return Segmented(media=annotations[0].media, names=names, mask=mask_of(masks, names))


AUGMENTATION = TaskAugmentation(takes=("segment",), make=segment_union)

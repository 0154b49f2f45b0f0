"""Segmentation of several classes: one mask of all objects of two to four classes, some of which may be absent.

With the masks of "cup" and "dog", and "cat" among the classes of the data set, the request may be for "dog", "cat",
"cup": the answer is the union of the masks of "dog" and "cup".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation
from embodio.datasets.augment.tasks.parts.masks import drawn_union
from embodio.model.tasks.families.segment import Segmented


def segment_union(
    annotations: Sequence[Segmented], generator: np.random.Generator, classes: Sequence[str]
) -> Segmented | None:
    """The union of the first annotation's class and others; None unless there are two classes to name."""
    drawn = drawn_union(annotations, generator, classes, 2)
    if drawn is None:
        return None
    names, whole = drawn
    return Segmented(media=annotations[0].media, names=names, mask=whole)


AUGMENTATION = TaskAugmentation(takes=("segment",), make=segment_union)

"""Descriptions of boxes: a referring expression the other way round, a text for a box.

"the cup on the left" at (y1, x1, y2, x2) = (10, 20, 30, 60) becomes the region caption of (10, 20, 30, 60), answered
"the cup on the left"; other expressions for the same box are right answers too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation
from embodio.model.tasks.families.caption_region import Region
from embodio.model.tasks.families.refer import Reference


def describe_reference(
    annotations: Sequence[Reference], generator: np.random.Generator, classes: Sequence[str]
) -> Region | None:
    """The first annotation's box with its text; None without a box. Nothing is drawn."""
    own = annotations[0]
    if own.box is None:
        return None
    same = [one.expression for one in annotations if one.box is not None and np.array_equal(one.box, own.box)]
    return Region(media=own.media, box=own.box, text=own.expression, references=tuple(dict.fromkeys(same)))


AUGMENTATION = TaskAugmentation(takes=("refer",), make=describe_reference, gives="caption_region")

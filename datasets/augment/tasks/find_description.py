"""Boxes of descriptions: a region caption the other way round, a box for a text.

The region (y1, x1, y2, x2) = (10, 20, 30, 60) with the caption "a red cup" becomes the referring expression "a red
cup", answered with that box. A caption that another region has as well is left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation
from embodio.model.tasks.families.caption_region import Region
from embodio.model.tasks.families.refer import Reference


def find_description(
    annotations: Sequence[Region], generator: np.random.Generator, classes: Sequence[str]
) -> Reference | None:
    """The first annotation's text with its box; None without a text that names one region. Nothing is drawn."""
    own = annotations[0]
    text = (own.text or "").strip()
    same = [one for one in annotations[1:] if (one.text or "").strip().lower() == text.lower()]
    if not text or any(not np.array_equal(one.box, own.box) for one in same):
        return None
    return Reference(media=own.media, expression=text, box=np.asarray(own.box, dtype=np.float32))


AUGMENTATION = TaskAugmentation(takes=("caption_region",), make=find_description, gives="refer")

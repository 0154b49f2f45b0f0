"""Properties of a description: a size, corner, half, distance or other format in place of the box of an expression.

Of "the cup on the left" with the box (y1, x1, y2, x2) = (10, 20, 30, 60), the property "box as left, top, width,
height" gives 20, 10, 40, 20.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation, one_of
from embodio.datasets.augment.tasks.parts.properties import measured
from embodio.model.tasks.families.box_properties import Measured
from embodio.model.tasks.families.refer import Reference
from embodio.model.tasks.locations.box_properties import BOX_PROPERTIES


def properties_of_description(
    annotations: Sequence[Reference], generator: np.random.Generator, classes: Sequence[str]
) -> Measured | None:
    """A random property of the region that the expression describes; None without a box."""
    own = annotations[0]
    if own.box is None:
        return None
    return measured(own.media, own.box, one_of(list(BOX_PROPERTIES), generator), expressions=(own.expression,))


AUGMENTATION = TaskAugmentation(takes=("refer",), make=properties_of_description, gives="box_properties")

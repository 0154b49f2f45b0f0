"""Properties of a pair: what the boxes of two expressions have in common, or which one is larger or further left.

Of "the cup" at (y1, x1, y2, x2) = (0, 0, 10, 20) and "the dog" at (5, 5, 15, 10), "smallest box that contains both"
gives (0, 0, 15, 20), and "area that both boxes share" 25.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation, one_of
from embodio.datasets.augment.tasks.parts.properties import measured
from embodio.datasets.augment.tasks.refer_to_several import drawn_references
from embodio.model.tasks.families.box_properties import Measured
from embodio.model.tasks.families.refer import Reference
from embodio.model.tasks.locations.box_properties import PAIR_PROPERTIES


def properties_of_pair(
    annotations: Sequence[Reference], generator: np.random.Generator, classes: Sequence[str]
) -> Measured | None:
    """A random property of the first expression's region and another one's; None if there is not another one."""
    pair = drawn_references(annotations, 2, generator)
    if len(pair) < 2:
        return None
    key, boxes = one_of(list(PAIR_PROPERTIES), generator), np.stack(list(pair.values()))
    return measured(annotations[0].media, boxes, key, expressions=tuple(pair))


AUGMENTATION = TaskAugmentation(takes=("refer",), make=properties_of_pair, gives="box_properties")

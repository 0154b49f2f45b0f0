"""Properties of objects: sizes, corners, halves, distances or other formats in place of the boxes of a name.

Of two cups with the boxes (y1, x1, y2, x2) = (0, 0, 10, 20) and (5, 5, 15, 10), the property "width" gives 20 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation, one_of
from embodio.datasets.augment.tasks.parts.properties import measured
from embodio.model.tasks.families.box_properties import Measured
from embodio.model.tasks.families.localise import Localised
from embodio.model.tasks.locations.box_properties import BOX_PROPERTIES


def properties_of_objects(
    annotations: Sequence[Localised], generator: np.random.Generator, classes: Sequence[str]
) -> Measured | None:
    """A random property of every object of the name; None if there is not one."""
    own = annotations[0]
    if own.boxes is None or not len(own.boxes):
        return None
    return measured(own.media, own.boxes, one_of(list(BOX_PROPERTIES), generator), name=own.name)


AUGMENTATION = TaskAugmentation(takes=("localise",), make=properties_of_objects, gives="box_properties")

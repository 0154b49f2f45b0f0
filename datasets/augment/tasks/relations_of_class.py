"""All relations of a class: each relationship whose subject is any object of one name, with both boxes.

Of two men, "man on horse" and "man wearing hat", those of "man" are "on: horse" and "wearing: hat", each after the
box of the man and that of the other object.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation
from embodio.datasets.augment.tasks.parts.pairs import gathered, usable
from embodio.model.tasks.families.relate import Relationship
from embodio.model.tasks.families.relations import Relations


def relations_of_class(
    annotations: Sequence[Relationship], generator: np.random.Generator, classes: Sequence[str]
) -> Relations | None:
    """All relations of objects with the name of the first annotation's subject; None if there are none."""
    own = [one for one in usable(annotations) if one.subject_name == annotations[0].subject_name]
    return gathered(own, of_one=False) if own else None


AUGMENTATION = TaskAugmentation(takes=("relate",), make=relations_of_class, gives="relations")

"""All relations of an object: each relationship whose subject is one object of an image, with the other object.

Of "man on horse", "man wearing hat" and "hat on table", those of the man are "on: horse" and "wearing: hat", each
after its box.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation
from embodio.datasets.augment.tasks.parts.pairs import gathered, usable
from embodio.model.tasks.families.relate import Relationship
from embodio.model.tasks.families.relations import Relations


def relations_of_object(
    annotations: Sequence[Relationship], generator: np.random.Generator, classes: Sequence[str]
) -> Relations | None:
    """All relations of the first annotation's subject; None unless both names are known. Nothing is drawn."""
    first = annotations[0]
    own = [
        one
        for one in usable(annotations)
        if one.subject_name == first.subject_name and np.array_equal(one.subject, first.subject)
    ]
    return gathered(own, of_one=True) if own else None


AUGMENTATION = TaskAugmentation(takes=("relate",), make=relations_of_object, gives="relations")

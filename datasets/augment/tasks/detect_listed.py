"""Detection of listed classes: the objects of one to four classes, some of which may be absent.

Of an image with two cups and a dog, the request may be for "dog", "cat": the answer is the box and the name of the
dog.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation, absent, one_of, shuffled, some_of
from embodio.model.tasks.families.detect import Detected

MOST_CLASSES = 4


def detect_listed(
    annotations: Sequence[Detected], generator: np.random.Generator, classes: Sequence[str]
) -> Detected | None:
    """The objects of a class that is there and of others that may be; None for an image without objects."""
    own = annotations[0]
    if own.boxes is None or not len(own.boxes):
        return None
    first = one_of(own.labels, generator)
    others = [name for name in own.labels if name != first] + absent(own.labels, classes)
    names = shuffled([first, *some_of(others, MOST_CLASSES - 1, generator, 0)], generator)
    kept = [place for place, label in enumerate(own.labels) if label in names]
    return replace(
        own, names=tuple(names), listed=True, boxes=own.boxes[kept], labels=tuple(own.labels[place] for place in kept)
    )


AUGMENTATION = TaskAugmentation(takes=("detect",), make=detect_listed)

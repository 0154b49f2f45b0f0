"""Classes drawn for segmentation, and the mask of all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from embodio.datasets.augment.tasks.parts.augmentation import absent, some_of
from embodio.model.tasks.families.segment import Segmented

Bools = npt.NDArray[np.bool_]

MOST_CLASSES = 4


def masks_by_class(annotations: Sequence[Segmented]) -> dict[str, Bools]:
    """Class -> the mask of all its objects, of annotations that ask for all objects of a name."""
    whole = [
        one for one in annotations if one.box is None and one.point is None and not one.names and not one.expression
    ]
    found: dict[str, Bools] = {}
    for one in whole:
        if one.name and one.mask is not None:
            found[one.name] = found[one.name] | one.mask if one.name in found else one.mask
    return found


def drawn_classes(
    masks: dict[str, Bools], first: str, generator: np.random.Generator, classes: Sequence[str], fewest: int
) -> tuple[str, ...]:
    """`fewest` to `MOST_CLASSES` classes in a random order: the first one, others, and perhaps some that are absent."""
    others = [name for name in masks if name != first]
    missing = some_of(absent(list(masks), classes), 2, generator, 0)
    rest = some_of([*others, *missing], MOST_CLASSES - 1, generator, fewest - 1)
    names = [first, *rest]
    return tuple(names[int(place)] for place in generator.permutation(len(names)))


def mask_of(masks: dict[str, Bools], names: Sequence[str]) -> Bools:
    """The pixels of any of the classes; absent ones have none."""
    union = np.zeros_like(next(iter(masks.values())))
    for name in names:
        if name in masks:
            union = union | masks[name]
    return union

"""Classes drawn for segmentation, and the mask of all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from embodio.datasets.augment.tasks.parts.augmentation import absent, shuffled, some_of
from embodio.model.tasks.families.segment import Segmented

Bools = npt.NDArray[np.bool_]

MOST_CLASSES = 4


def drawn_union(
    annotations: Sequence[Segmented], generator: np.random.Generator, classes: Sequence[str], fewest: int
) -> tuple[tuple[str, ...], Bools] | None:
    """`fewest` to `MOST_CLASSES` classes in a random order, and the pixels of any of them; absent classes have none.

    The first annotation's class is among them, others of the image, and perhaps some that are absent. None unless the
    first annotation asks for all objects of a name, or if there are not `fewest` classes to name.
    """
    masks, first = _masks_by_class(annotations), annotations[0].name
    if first not in masks:
        return None
    others = [name for name in masks if name != first]
    missing = some_of(absent(list(masks), classes), 2, generator, 0)
    names = shuffled([first, *some_of([*others, *missing], MOST_CLASSES - 1, generator, fewest - 1)], generator)
    if len(names) < fewest:
        return None
    return tuple(names), np.logical_or.reduce([masks[name] for name in names if name in masks])


def _masks_by_class(annotations: Sequence[Segmented]) -> dict[str, Bools]:
    """Class -> the mask of all its objects, of annotations that ask for all objects of a name."""
    whole = [
        one for one in annotations if one.box is None and one.point is None and not one.names and not one.expression
    ]
    found: dict[str, Bools] = {}
    for one in whole:
        if one.name and one.mask is not None:
            found[one.name] = found[one.name] | one.mask if one.name in found else one.mask
    return found

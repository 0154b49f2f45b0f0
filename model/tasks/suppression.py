"""Non-maximum suppression: keeps the first of overlapping boxes."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from embodio.model.errors import is_within
from embodio.model.tasks.errors import TaskError

Doubles = npt.NDArray[np.float64]


def suppress(boxes: npt.ArrayLike, overlap: float, labels: Sequence[str] | None = None) -> npt.NDArray[np.intp]:
    """Selects boxes that do not overlap too much.

    Boxes are visited in order, as the model writes the most certain first and gives no scores; a box is kept if its
    overlap with every box kept before is at most `overlap`.

    Args:
        boxes: [N, 4] as (y1, x1, y2, x2).
        overlap: largest intersection over union, 0..1; 1 keeps all.
        labels: name of each box; boxes of different names do not suppress each other.

    Returns:
        Indices of the kept boxes, in order.

    Raises:
        TaskError: `overlap` is outside 0..1.
    """
    if not is_within(overlap, 0.0, 1.0):
        raise TaskError(f"overlap is {overlap!r:.50}; intersection over union lies in [0, 1], and 1 keeps all boxes")
    array = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    names = [""] * len(array) if labels is None else list(labels)
    shares = intersection_over_union(array)
    kept: list[int] = []
    for index, name in enumerate(names):
        if all(names[other] != name or shares[index, other] <= overlap for other in kept):
            kept.append(index)
    return np.array(kept, dtype=np.intp)


def intersection_over_union(boxes: Doubles, others: Doubles | None = None) -> Doubles:
    """Pairwise overlap float64 [N, M] of boxes float64 [N, 4] with others [M, 4]; 0 where neither has an area.

    Args:
        boxes: as (y1, x1, y2, x2), or with x and y in turn.
        others: the same; None for the boxes themselves.
    """
    right = boxes if others is None else others
    low = np.maximum(boxes[:, None, :2], right[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], right[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    areas, other_areas = (np.clip(some[:, 2:] - some[:, :2], 0, None).prod(axis=-1) for some in (boxes, right))
    union = areas[:, None] + other_areas[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)

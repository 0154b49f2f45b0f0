"""Overlaps of boxes and masks, and the best assignment of what was found to what there is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from embodio.datasets.metrics.parts.metric import Doubles, MetricError, same_shape
from embodio.model.tasks.suppression import intersection_over_union

Bools = npt.NDArray[np.bool_]

BOUNDARY_SHARE = 0.02
"""Width of a boundary as a share of the image's diagonal (Cheng et al., arXiv 2103.16562)."""


def box_overlaps(found: npt.ArrayLike, truth: npt.ArrayLike) -> Doubles:
    """Intersection over union of each pair of boxes [N, 4] and [M, 4], float64 [N, M]."""
    left, right = (np.asarray(boxes, dtype=np.float64).reshape(-1, 4) for boxes in (found, truth))
    return intersection_over_union(left, right)


def mask_overlap(found: Bools, truth: Bools) -> float:
    """Intersection over union of two masks bool [H, W]; 1 where both are empty.

    Raises:
        MetricError: the shapes differ.
    """
    shared, union = mask_counts(found, truth)
    return shared / union if union else 1.0


def mask_counts(found: Bools, truth: Bools) -> tuple[float, float]:
    """The pixels of the intersection and of the union of two masks bool [H, W]; raises MetricError for other shapes."""
    same_shape(found, truth, "mask")
    return float(np.count_nonzero(found & truth)), float(np.count_nonzero(found | truth))


def boundary(mask: Bools, share: float = BOUNDARY_SHARE) -> Bools:
    """The pixels of a mask bool [H, W] near its edge; the edge of the image counts as one.

    Args:
        mask: the mask.
        share: how near, as a share of the image's diagonal; at least one pixel.
    """
    from scipy.ndimage import binary_erosion

    width = max(1, round(share * math.hypot(*mask.shape)))
    inner = binary_erosion(np.pad(mask, 1), np.ones((3, 3)), iterations=width)[1:-1, 1:-1]
    return np.asarray(mask & ~inner)


def assigned_score(similarities: Doubles) -> float:
    """The score of GRIT for what was found of several things (arXiv 2204.13653, section 4).

    The sum of the similarities of the best assignment, over the number found plus the number missed.

    Args:
        similarities: float64 [N found, M true] in [0, 1].

    Returns:
        1 where there is nothing and nothing was found, 0 where only one of both is empty.
    """
    from scipy.optimize import linear_sum_assignment

    found, true = similarities.shape
    if not found or not true:
        return float(found == true)
    values = similarities[linear_sum_assignment(-similarities)]
    matched = int(np.count_nonzero(values > 0))
    return float(values.sum() / (found + true - matched))


def boxes_of(boxes: object, field: str) -> Doubles:
    """Boxes as float64 [N, 4]; raises MetricError for another shape."""
    found = np.asarray(boxes, dtype=np.float64)
    if found.size == 0:
        return np.zeros((0, 4))
    if found.ndim != 2 or found.shape[1] != 4:
        raise MetricError(f"{field}: expected [N, 4], found the shape {found.shape}")
    return found


def pairwise(found: Sequence[Bools], truth: Sequence[Bools]) -> Doubles:
    """Overlaps of each pair of masks, float64 [N, M]."""
    table = np.zeros((len(found), len(truth)))
    for row, one in enumerate(found):
        for column, other in enumerate(truth):
            table[row, column] = mask_overlap(one, other)
    return table

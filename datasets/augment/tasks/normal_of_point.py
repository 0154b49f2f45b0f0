"""Normals of a point: which way the surface at one random point faces.

If the point (y, x) = (3.5, 7.5) is drawn, the answer is the normal of the pixel in row 3 and column 7.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation
from embodio.model.tasks.families.normal_at import PointNormal
from embodio.model.tasks.families.normals import NormalsItem


def normal_of_point(
    annotations: Sequence[NormalsItem], generator: np.random.Generator, classes: Sequence[str]
) -> PointNormal | None:
    """The normal in the middle of a random pixel where it is known; None if it is known nowhere."""
    normals = annotations[0].normals
    if normals is None:
        return None
    rows, columns = np.nonzero(np.isfinite(normals).all(axis=2) & normals.any(axis=2))
    if not len(rows):
        return None
    place = int(generator.integers(len(rows)))
    row, column = int(rows[place]), int(columns[place])
    point = np.array([row + 0.5, column + 0.5], dtype=np.float32)
    return PointNormal(media=annotations[0].media, point=point, normal=normals[row, column])


AUGMENTATION = TaskAugmentation(takes=("normals",), make=normal_of_point, gives="normal_at")

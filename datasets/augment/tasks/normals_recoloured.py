"""Normals in other colours: red, green and blue mean other axes than usual, or some of them nothing.

"zxy" draws z in red, x in green and y in blue; "-y-" draws y in green, with red and blue a half everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation, one_of
from embodio.model.tasks.families.normals import AXES, UNUSED, NormalsItem

COLOURS = sorted({"".join(one) for one in permutations(AXES + UNUSED * 2, 3) if set(one) != {UNUSED}} - {AXES})
"""All meanings of three colours but the usual one."""


def normals_recoloured(
    annotations: Sequence[NormalsItem], generator: np.random.Generator, classes: Sequence[str]
) -> NormalsItem | None:
    """The same normals, drawn otherwise."""
    return None if annotations[0].normals is None else replace(annotations[0], colours=one_of(COLOURS, generator))


AUGMENTATION = TaskAugmentation(takes=("normals",), make=normals_recoloured)

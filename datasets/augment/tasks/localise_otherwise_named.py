"""Localisation with or without names: boxes of a name without it after each box, or with it where it was not asked for.

"Give the box and the name of every cup" with two cups becomes "Give the box of every cup, without names": eight value
tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation
from embodio.model.tasks.families.localise import Localised


def localise_otherwise_named(
    annotations: Sequence[Localised], generator: np.random.Generator, classes: Sequence[str]
) -> Localised | None:
    """The same boxes; nothing is drawn."""
    own = annotations[0]
    if own.boxes is None:
        return None
    label = "" if own.named else own.name
    return replace(own, named=not own.named, labels=(label,) * len(own.boxes))


AUGMENTATION = TaskAugmentation(takes=("localise",), make=localise_otherwise_named)

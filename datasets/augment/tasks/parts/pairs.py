"""Relationships of an image gathered into all relations of an object."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.model.tasks.families.relate import Relationship
from embodio.model.tasks.families.relations import Relations

_FORBIDDEN = ":"


def usable(annotations: Sequence[Relationship]) -> list[Relationship]:
    """The relationships with text and names, each pair and text once."""
    found: dict[tuple[object, ...], Relationship] = {}
    for one in annotations:
        text = (one.text or "").strip()
        if text and _FORBIDDEN not in text and one.subject_name and one.object_name:
            key = (tuple(np.asarray(one.subject).tolist()), tuple(np.asarray(one.object).tolist()), text)
            found.setdefault(key, one)
    return list(found.values())


def gathered(found: Sequence[Relationship], *, of_one: bool) -> Relations:
    """All relations; `of_one` if all have the same subject."""
    return Relations(
        media=found[0].media,
        name=found[0].subject_name,
        box=np.asarray(found[0].subject, dtype=np.float32) if of_one else None,
        relations=tuple(str(one.text).strip() for one in found),
        subjects=None if of_one else np.stack([one.subject for one in found]).astype(np.float32),
        objects=np.stack([one.object for one in found]).astype(np.float32),
        names=tuple(one.object_name for one in found),
    )

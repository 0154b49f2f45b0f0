"""Mirroring: image, boxes, points and masks flipped from left to right, and left and right exchanged in texts.

In an image 100 pixels wide, "the cup on the left" at (y1, x1, y2, x2) = (10, 20, 30, 60) becomes "the cup on the
right" at (10, 40, 30, 80). An item whose text uses left or right in another sense, as in "a man has left", is left
out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation
from embodio.datasets.augment.tasks.parts.sides import exchanged
from embodio.model.tasks.base.family import Annotation
from embodio.model.tasks.locations.labelled import BODY_PARTS, Keypoints

Array = npt.NDArray[Any]

_SWAPPED = [
    BODY_PARTS.index(exchanged(part) or part) for part in BODY_PARTS
]  # the part that is on the other side of a mirrored person


def mirror(
    annotations: Sequence[Annotation], generator: np.random.Generator, classes: Sequence[str]
) -> Annotation | None:
    """The first annotation mirrored; None if a text cannot be. Nothing is drawn."""
    own = annotations[0]
    image = own.media.image
    if image is None or own.media.image_history:
        return None
    width = int(image.shape[1])
    changed: dict[str, Any] = {"media": replace(own.media, image=np.ascontiguousarray(image[:, ::-1]))}
    for field in fields(own):
        value = getattr(own, field.name)
        if value is None or field.name == "media":
            continue
        if field.name in _PLACES:
            changed[field.name] = _PLACES[field.name](value, width)
        elif isinstance(value, str) or (isinstance(value, tuple) and value and isinstance(value[0], str)):
            texts = [exchanged(text) for text in ([value] if isinstance(value, str) else value)]
            known = [text for text in texts if text is not None]
            if len(known) < len(texts):
                return None
            changed[field.name] = known[0] if isinstance(value, str) else tuple(known)
    return replace(own, **changed)


def _boxes(boxes: Array, width: int) -> Array:
    """Boxes [..., 4] as (y1, x1, y2, x2)."""
    top, left, bottom, right = np.moveaxis(np.asarray(boxes, dtype=np.float32), -1, 0)
    return np.stack([top, width - right, bottom, width - left], axis=-1).astype(np.float32)


def _points(points: Array, width: int) -> Array:
    """Points [..., 2] as (y, x)."""
    found = np.array(points, dtype=np.float32)
    found[..., 1] = width - found[..., 1]
    return found


def _pixels(pixels: Array, width: int) -> Array:
    """Pixels [H, W, ...]."""
    return np.ascontiguousarray(pixels[:, ::-1])


def _normals(normals: Array, width: int) -> Array:
    """Normals [H, W, 3], whose x is the other way round."""
    return np.ascontiguousarray(normals[:, ::-1] * np.array([-1, 1, 1], dtype=normals.dtype))


def _person(found: Keypoints, width: int) -> Keypoints:
    """Keypoints, with those of the left and the right side of the body exchanged."""
    points = np.where(found.visible[:, None], _points(found.points, width), 0)
    return Keypoints(points[_SWAPPED].astype(np.float32), found.visible[_SWAPPED])


_PLACES: Mapping[str, Callable[[Any, int], Any]] = {
    **dict.fromkeys(("box", "boxes", "subject", "object", "objects", "subjects"), _boxes),
    "point": _points,
    **dict.fromkeys(("mask", "depth", "drawn"), _pixels),
    "normals": _normals,
    "keypoints": _person,
}

AUGMENTATION = TaskAugmentation(
    takes=(
        "answer_question",
        "caption",
        "caption_region",
        "classify",
        "depth",
        "detect",
        "keypoints",
        "localise",
        "normals",
        "point",
        "refer",
        "relate",
        "segment",
    ),
    make=mirror,
)

"""Properties of boxes of an image, as annotations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.families.box_properties import Measured, property_of


def measured(
    media: InputMedia, boxes: npt.ArrayLike, key: str, *, name: str = "", expressions: tuple[str, ...] = ()
) -> Measured | None:
    """The property `key` of boxes [N, 4] of an image; None without an image."""
    if media.image is None:
        return None
    asked = Measured(media=media, property=key, name=name, expressions=expressions)
    size = int(media.image.shape[0]), int(media.image.shape[1])
    values = property_of(asked).of(np.asarray(boxes, dtype=np.float64).reshape(-1, 4), size).astype(np.float32)
    return replace(asked, values=values)

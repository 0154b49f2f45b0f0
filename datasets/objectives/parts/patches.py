"""Patches pasted into an image: parts of other images at places that do not overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import DatasetError
from embodio.datasets.objectives.objective import ObjectiveConfig, ObjectiveContext
from embodio.datasets.records.record import Record
from embodio.model.example import Image
from embodio.model.processing.image import resize
from embodio.model.tasks.base.image_family import to_pixels

Pixels = npt.NDArray[np.uint8]

NAME = "pasted patch"
"""What the patches are called in prompts."""

_SMALLEST = 32  # pixels of the shorter side; smaller images are enlarged
_TRIES = 20  # places that are tried for a patch


@dataclass(frozen=True, kw_only=True)
class PatchConfig(ObjectiveConfig):
    """Settings of objectives with pasted patches.

    Attributes:
        fewest: smallest number of patches.
        most: largest number of patches; fewer are pasted where an image has room for fewer.
        smallest: smallest side of a patch, as a share of the image's.
        largest: largest side of a patch, as a share of the image's.
    """

    fewest: int = 1
    most: int = 5
    smallest: float = 0.12
    largest: float = 0.35

    def __post_init__(self) -> None:
        """Checks ranges; raises DatasetError."""
        super().__post_init__()
        if not 0 <= self.fewest <= self.most:
            raise DatasetError(f"fewest: got {self.fewest} and most {self.most}, expected 0 <= fewest <= most")
        if not 0.0 < self.smallest <= self.largest < 1.0:
            raise DatasetError(
                f"smallest: got {self.smallest} and largest {self.largest}, expected 0 < smallest <= largest < 1"
            )


@dataclass(frozen=True, eq=False)
class Pasted:
    """An image with patches.

    Attributes:
        image: uint8 [H, W, 3].
        boxes: float32 [N, 4] as (y1, x1, y2, x2) in pixels, from top to bottom, then from left to right.
    """

    image: Pixels
    boxes: npt.NDArray[np.float32]


def pasted(record: Record, context: ObjectiveContext, config: PatchConfig, generator: np.random.Generator) -> Pasted:
    """The image of a record with patches that are cut from the images of partners.

    Without a partner, or where one has no image, a patch is cut from the image itself.

    Raises:
        CorruptRecordError: an image cannot be decoded.
        DatasetError: the record has no image.
    """
    image = _image(record)
    if image is None:
        raise DatasetError(f"{record.key!r} has no image to paste patches into; ask `suits` before")
    image = _large_enough(to_pixels(image))
    origins = []
    for _ in range(int(generator.integers(config.fewest, config.most, endpoint=True))):
        other = None if context.partner is None else _image(context.partner(generator))
        origins.append(image if other is None else _large_enough(to_pixels(other)))
    return paste(image, origins, config, generator)


def paste(image: Pixels, origins: Sequence[Pixels], config: PatchConfig, generator: np.random.Generator) -> Pasted:
    """Pastes a part of each origin into an image; those that find no free place are left out.

    Args:
        image: uint8 [H, W, 3]; not changed.
        origins: images uint8 [H, W, 3] of any size.
        config: sizes of the patches.
        generator: of all draws.
    """
    canvas, places = image.copy(), list[tuple[int, int, int, int]]()
    for origin in origins:
        place = _free_place(canvas.shape[:2], places, config, generator)
        if place is None:
            continue
        top, left, bottom, right = place
        canvas[top:bottom, left:right] = _part(origin, (bottom - top, right - left), generator)
        places.append(place)
    return Pasted(canvas, np.array(sorted(places), dtype=np.float32).reshape(-1, 4))


def _image(record: Record) -> Image | None:
    return None if record.image is None else record.image.load()


def _large_enough(image: Pixels) -> Pixels:
    factor = -(-_SMALLEST // min(image.shape[:2]))
    return image if factor <= 1 else image.repeat(factor, axis=0).repeat(factor, axis=1)


def _free_place(
    size: tuple[int, ...],
    taken: Sequence[tuple[int, int, int, int]],
    config: PatchConfig,
    generator: np.random.Generator,
) -> tuple[int, int, int, int] | None:
    """A rectangle that touches none of those taken; None if none of some draws is free."""
    for _ in range(_TRIES):
        top, left, bottom, right = _rectangle(size, (config.smallest, config.largest), generator)
        if all(bottom < y1 or y2 < top or right < x1 or x2 < left for y1, x1, y2, x2 in taken):
            return top, left, bottom, right
    return None


def _part(origin: Pixels, size: tuple[int, int], generator: np.random.Generator) -> Pixels:
    """A part of an image, of half to all of its sides, resized."""
    top, left, bottom, right = _rectangle(origin.shape[:2], (0.5, 1.0), generator)
    part = origin[top:bottom, left:right].astype(np.float32)
    return np.rint(np.clip(resize(part, size), 0, 255)).astype(np.uint8)


def _rectangle(
    size: tuple[int, ...], shares: tuple[float, float], generator: np.random.Generator
) -> tuple[int, int, int, int]:
    """A rectangle (y1, x1, y2, x2) somewhere in an image, its sides shares of the image's."""
    height, width = (max(1, round(side * generator.uniform(*shares))) for side in size)
    top = int(generator.integers(0, size[0] - height, endpoint=True))
    left = int(generator.integers(0, size[1] - width, endpoint=True))
    return top, left, top + height, left + width

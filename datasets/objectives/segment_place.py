"""SegmentPlace: draw the mask of the object at a point or in a box (paper, appendix C.1: Segment Anything).

The wordings are those of the family `segment`. Of an image of 100 x 100 pixels, with an object that covers the rows 20
to 39 and the columns 50 to 69:

    prompt   [Image] [S] Draw in white the object in the region <200> <500> <400> <700> of the image, and everything
             else in black.
    image    the image
    target   an image, white in those rows and columns and black elsewhere
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import DatasetError
from embodio.datasets.objectives.objective import ConfiguredObjective, ObjectiveConfig, ObjectiveContext
from embodio.datasets.objectives.parts.asking import able, asked
from embodio.datasets.objectives.parts.material import unusable
from embodio.datasets.records.record import Media, Record
from embodio.model.example import Example
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.families.segment import FAMILY, Segmented

MASKS = "masks"
"""Fact of a record: integers [H, W], 0 for the background and a number for each object; or bool [N, H, W]."""


@dataclass(frozen=True, kw_only=True)
class SegmentPlaceConfig(ObjectiveConfig):
    """Settings of SegmentPlace.

    Attributes:
        points: share of examples that give a point; the others give a box.
        smallest: smallest object, as a share of the image's area.
        largest: largest object, as a share of the image's area.
    """

    points: float = 0.5
    smallest: float = 0.002
    largest: float = 0.9

    def __post_init__(self) -> None:
        """Checks ranges; raises DatasetError."""
        super().__post_init__()
        if not 0.0 <= self.points <= 1.0:
            raise DatasetError(f"points: got {self.points}, expected a share between 0 and 1")
        if not 0.0 <= self.smallest <= self.largest <= 1.0:
            raise DatasetError(
                f"smallest: got {self.smallest} and largest {self.largest}, expected 0 <= smallest <= largest <= 1"
            )


class SegmentPlace(ConfiguredObjective[SegmentPlaceConfig]):
    """An image and a point or box in, a white-on-black mask out."""

    settings = SegmentPlaceConfig

    def suits(self, record: Record, context: ObjectiveContext) -> bool:
        """Records with an image and masks, for networks that read and write images."""
        return record.image is not None and MASKS in record.facts and able(context, ["image"], "image")

    def make(self, record: Record, context: ObjectiveContext, generator: np.random.Generator) -> Example:
        """An object is drawn, then point or box, then the wording.

        Raises:
            UnusableRecord: no object is of the right size, or the masks are not of the image's size.
        """
        if record.image is None:
            raise DatasetError(f"{record.key!r} has no image; ask `suits` before")
        image = record.image.load()
        mask = self._drawn(record, image.shape[:2], generator)
        rows, columns = np.nonzero(mask)
        media = InputMedia(image=image)
        if generator.random() < self.config.points:
            chosen = int(generator.integers(len(rows)))
            point = np.array([rows[chosen] + 0.5, columns[chosen] + 0.5], dtype=np.float32)
            return asked(FAMILY, Segmented(media=media, point=point, mask=mask), context, generator)
        box = np.array([rows.min(), columns.min(), rows.max() + 1, columns.max() + 1], dtype=np.float32)
        return asked(FAMILY, Segmented(media=media, box=box, mask=mask), context, generator)

    def _drawn(self, record: Record, size: tuple[int, ...], generator: np.random.Generator) -> npt.NDArray[np.bool_]:
        """The mask of one of the objects of the right size, bool [H, W]; no other mask is made of numbered ones."""
        found = record.facts[MASKS]
        masks = np.asarray(found.load() if isinstance(found, Media) else found)
        masks = masks[None] if masks.ndim == 2 and masks.dtype == np.bool_ else masks
        numbered = masks.ndim == 2
        if masks.ndim not in (2, 3) or not (numbered or masks.dtype == np.bool_) or masks.shape[-2:] != tuple(size):
            raise unusable(record, f"its masks {masks.shape} {masks.dtype} do not fit the image {size}")
        if numbered:
            numbers, areas = np.unique(masks[masks != 0], return_counts=True)
        else:
            areas = masks.sum(axis=(1, 2))
        shares = areas / np.prod(size)
        kept = np.flatnonzero((areas > 0) & (self.config.smallest <= shares) & (shares <= self.config.largest))
        if not len(kept):
            raise unusable(record, f"none of its {len(areas)} objects is of the size that is asked for")
        chosen = kept[int(generator.integers(len(kept)))]
        mask: npt.NDArray[np.bool_] = masks == numbers[chosen] if numbered else masks[chosen]
        return mask


OBJECTIVE = SegmentPlace

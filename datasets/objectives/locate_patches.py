"""LocatePatches: paste parts of other images into an image and have their boxes written (paper, appendix C.1).

The wording is that of the family `localise`, so `TaskRunner` asks the same of a trained network. With patches at
(10, 20, 40, 60) and (50, 5, 70, 30) of an image of 100 x 100 pixels:

    prompt   [Text] [S] Give the box of every "pasted patch" in the image, without names.
    image    the image with both patches
    target   <100> <200> <400> <600> <500> <50> <700> <300>     (value tokens: shares of the sides in 1/999)
"""

from __future__ import annotations

import numpy as np

from embodio.datasets.objectives.objective import ConfiguredObjective, ObjectiveContext
from embodio.datasets.objectives.parts.asking import able, asked
from embodio.datasets.objectives.parts.patches import NAME, PatchConfig, pasted
from embodio.datasets.records.record import Record
from embodio.model.example import Example
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.families.localise import FAMILY, Localised


class LocatePatches(ConfiguredObjective[PatchConfig]):
    """An image with pasted patches in, their boxes out, from top to bottom."""

    settings = PatchConfig

    def suits(self, record: Record, context: ObjectiveContext) -> bool:
        """Records with an image, for networks that read images and write text."""
        return record.image is not None and able(context, ["image"])

    def make(self, record: Record, context: ObjectiveContext, generator: np.random.Generator) -> Example:
        """Patches are drawn, then the wording."""
        found = pasted(record, context, self.config, generator)
        item = Localised(media=InputMedia(image=found.image), name=NAME, named=False, boxes=found.boxes)
        return asked(FAMILY, item, context, generator)


OBJECTIVE = LocatePatches

"""SynthesiseView: draw a scene as seen after a movement of the camera (paper, appendix C.1: Objaverse).

The wording is that of the family `view`. Of two views whose cameras look at one point, the second one 30 degrees to
the left and 0.1 m nearer:

    prompt   [Image] [S] Draw the image as seen by a camera moved by ( <polar> <sine> <cosine> <distance> ).
    image    the first view
    target   the second view, an image
"""

from __future__ import annotations

import numpy as np

from embodio.datasets.errors import DatasetError
from embodio.datasets.objectives.objective import ConfiguredObjective, ObjectiveConfig, ObjectiveContext
from embodio.datasets.objectives.parts.asking import able, asked
from embodio.datasets.objectives.parts.cameras import movements
from embodio.datasets.records.record import Record
from embodio.model.example import Example
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.families.view import FAMILY, Viewed


class SynthesiseViewOfScene(ConfiguredObjective[ObjectiveConfig]):
    """One view and a movement of the camera in, another view out."""

    def suits(self, record: Record, context: ObjectiveContext) -> bool:
        """Records with two views whose cameras look at one point."""
        return len(record.views) > 1 and able(context, ["image"], "image") and any(movements(record))

    def make(self, record: Record, context: ObjectiveContext, generator: np.random.Generator) -> Example:
        """An ordered pair of views is drawn, then the wording."""
        pairs = list(movements(record))
        if not pairs:
            raise DatasetError(f"{record.key!r} has no two views of one point; ask `suits` before")
        first, second, pose = pairs[int(generator.integers(len(pairs)))]
        media = InputMedia(image=record.views[first].image.load())
        item = Viewed(media=media, pose=pose, drawn=record.views[second].image.load())
        return asked(FAMILY, item, context, generator)


OBJECTIVE = SynthesiseViewOfScene

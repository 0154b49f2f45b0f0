"""CameraMotion: write how the camera moved between two views of a scene (paper, appendix C.1: Objaverse).

The wording is that of the family `camera_pose`:

    prompt   [Text] [S] How did the camera move from the earlier image to this image?
    history  the first view
    image    the second view
    target   <polar> <sine> <cosine> <distance>     (value tokens: change of angles and distance)
"""

from __future__ import annotations

import numpy as np

from embodio.datasets.errors import DatasetError
from embodio.datasets.objectives.objective import ConfiguredObjective, ObjectiveConfig, ObjectiveContext
from embodio.datasets.objectives.parts.asking import able, asked, frame_slots
from embodio.datasets.objectives.parts.cameras import movements
from embodio.datasets.records.record import Record
from embodio.model.example import Example
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.families.camera_pose import FAMILY, Movement


class CameraMotion(ConfiguredObjective[ObjectiveConfig]):
    """Two views in, the movement of the camera out."""

    def suits(self, record: Record, context: ObjectiveContext) -> bool:
        """Records with two views whose cameras look at one point, for networks with an image history."""
        seen = len(record.views) > 1 and frame_slots(context) > 0 and able(context, ["image"])
        return seen and any(movements(record))

    def make(self, record: Record, context: ObjectiveContext, generator: np.random.Generator) -> Example:
        """An ordered pair of views is drawn, then the wording."""
        pairs = list(movements(record))
        if not pairs:
            raise DatasetError(f"{record.key!r} has no two views of one point; ask `suits` before")
        first, second, pose = pairs[int(generator.integers(len(pairs)))]
        earlier, image = record.views[first].image.load(), record.views[second].image.load()
        item = Movement(media=InputMedia(image=image, image_history=[earlier]), pose=pose)
        return asked(FAMILY, item, context, generator)


OBJECTIVE = CameraMotion

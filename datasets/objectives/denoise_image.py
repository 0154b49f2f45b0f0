"""DenoiseImage: hide parts of an image and have all of it drawn, or draw it from other parts ([Image], [R] or [S]).

[R] leaves a share of the patches out of the encoder. The target is the whole image; its codes in hidden patches are
marked, so that the decoder sees none of them either (dynamic masking). Of 2 x 2 patches with half of them hidden:

    prompt   [Image] [R] a red cup          the caption is kept or dropped at random
    image    #0 .. .. #3                    patches 1 and 2 are absent: image_hidden = [[0, 1], [1, 0]]
    target   all codes of the image

[S] gives the other parts of the record and no image; a prompt of text alone is sometimes replaced by the neutral one:

    prompt   [Image] [S] a red cup
    target   all codes of the image
"""

from __future__ import annotations

import numpy as np

from embodio.datasets.objectives.objective import ConfiguredObjective, ObjectiveContext
from embodio.datasets.objectives.parts.five_steps import Choices, patch_example
from embodio.datasets.objectives.parts.settings import PatchSettings
from embodio.datasets.records.record import Record
from embodio.model.example import Example


class DenoiseImage(ConfiguredObjective[PatchSettings]):
    """An image without some patches, or a description, in; the image out."""

    settings = PatchSettings

    def suits(self, record: Record, context: ObjectiveContext) -> bool:
        """Records with an image, for networks that write it, and read it or something else of the record."""
        return "image" in Choices.of(record, context).targets

    def make(self, record: Record, context: ObjectiveContext, generator: np.random.Generator) -> Example:
        """What is kept, the paradigm and the hidden patches are drawn."""
        return patch_example(record, "image", context, self.config, generator)


OBJECTIVE = DenoiseImage

"""DenoiseAudio: hide parts of a sound and have all of it written, or make it from other parts ([Audio], [R] or [S]).

[R] leaves a share of the patches of a segment out of the encoder. The target is the whole segment; its codes in hidden
patches are marked, so that the decoder sees none of them either (dynamic masking). Of 2 x 2 patches over time and mel
bands, three of which are hidden:

    prompt   [Audio] [R] a bell rings       the caption is kept or dropped at random
    audio    #0 .. .. ..                    audio_hidden = [[0, 1], [1, 1]]
    target   all codes of the segment

[S] gives the other parts of the record and no sound:

    prompt   [Audio] [S] a bell rings
    target   all codes of the segment
"""

from __future__ import annotations

import numpy as np

from embodio.datasets.objectives.objective import ConfiguredObjective, ObjectiveContext
from embodio.datasets.objectives.parts.five_steps import Choices, patch_example
from embodio.datasets.objectives.parts.settings import SoundSettings
from embodio.datasets.records.record import Record
from embodio.model.example import Example


class DenoiseAudio(ConfiguredObjective[SoundSettings]):
    """A sound without some parts, or a description, in; the sound out."""

    settings = SoundSettings

    def suits(self, record: Record, context: ObjectiveContext) -> bool:
        """Records with a sound, for networks that write it, and read it or something else of the record."""
        return "audio" in Choices.of(record, context).targets

    def make(self, record: Record, context: ObjectiveContext, generator: np.random.Generator) -> Example:
        """What is kept, the paradigm and the hidden patches are drawn."""
        return patch_example(record, "audio", context, self.config, generator)


OBJECTIVE = DenoiseAudio

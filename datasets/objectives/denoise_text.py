"""DenoiseText: hide some of a text and have it written, by the denoisers of UL2 ([Text] with [R], [S] or [X]).

Images and sounds of the record are given with it, or dropped at random. With `Denoiser("R", rate=0.4, span=2.5)`, a
record with a picture and a caption of eight tokens may become

    caption  10 11 12 13 14 15 16 17
    prompt   [Text] [R] 10 11 <s0> 14 15 <s1> 17
    image    the picture
    target   <s0> 12 13 <s1> 16

[S] hides the end of a text, or all of it where an image or a sound is given: then it is captioning.
"""

from __future__ import annotations

import numpy as np

from embodio.datasets.objectives.objective import ConfiguredObjective, ObjectiveContext
from embodio.datasets.objectives.parts.five_steps import Choices, text_example
from embodio.datasets.objectives.parts.settings import TextSettings
from embodio.datasets.records.record import Record
from embodio.model.example import Example


class DenoiseText(ConfiguredObjective[TextSettings]):
    """Text with hidden spans in, the spans out."""

    settings = TextSettings

    def suits(self, record: Record, context: ObjectiveContext) -> bool:
        """Records with text, for networks that write it."""
        return "text" in Choices.of(record, context).targets

    def make(self, record: Record, context: ObjectiveContext, generator: np.random.Generator) -> Example:
        """One of the texts, one of the denoisers and the spans are drawn."""
        return text_example(record, context, self.config, generator)


OBJECTIVE = DenoiseText

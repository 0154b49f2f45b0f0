"""CountPatches: paste parts of other images into an image and have them counted (paper, appendix C.1).

The wording is that of the family `answer_question`:

    prompt   [Text] [S] How many patches of other pictures were pasted into the image? Give a short answer.
    image    the image with three patches
    target   3
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embodio.datasets.errors import DatasetError
from embodio.datasets.objectives.objective import ConfiguredObjective, ObjectiveContext
from embodio.datasets.objectives.parts.asking import able, asked
from embodio.datasets.objectives.parts.patches import PatchConfig, pasted
from embodio.datasets.records.record import Record
from embodio.model.example import Example
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.families.answer_question import FAMILY, Question

QUESTIONS = (
    "How many patches of other pictures were pasted into the image?",
    "How many pasted patches does the image have?",
    "How many parts of other images cover this one?",
    "What is the number of pasted patches?",
)
"""One of them is drawn."""


@dataclass(frozen=True, kw_only=True)
class CountPatchesConfig(PatchConfig):
    """Settings of CountPatches.

    Attributes:
        fewest: smallest number of patches; 0 shows images without any.
        questions: one of them is drawn.
    """

    fewest: int = 0
    questions: tuple[str, ...] = QUESTIONS

    def __post_init__(self) -> None:
        """Checks ranges; raises DatasetError."""
        super().__post_init__()
        if not self.questions:
            raise DatasetError("questions: there is none; give at least one")


class CountPatches(ConfiguredObjective[CountPatchesConfig]):
    """An image with pasted patches in, their number out."""

    settings = CountPatchesConfig

    def suits(self, record: Record, context: ObjectiveContext) -> bool:
        """Records with an image, for networks that read images and write text."""
        return record.image is not None and able(context, ["image"])

    def make(self, record: Record, context: ObjectiveContext, generator: np.random.Generator) -> Example:
        """Patches are drawn, then question and wording."""
        found = pasted(record, context, self.config, generator)
        question = self.config.questions[int(generator.integers(len(self.config.questions)))]
        item = Question(media=InputMedia(image=found.image), question=question, text=str(len(found.boxes)))
        return asked(FAMILY, item, context, generator)


OBJECTIVE = CountPatches

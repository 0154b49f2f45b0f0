"""Objectives whose target is one modality made of patches, an image or a sound."""

from __future__ import annotations

from typing import ClassVar, TypeVar

import numpy as np

from embodio.datasets.objectives.objective import ConfiguredObjective, ObjectiveContext
from embodio.datasets.objectives.parts.five_steps import Choices, patch_example
from embodio.datasets.objectives.parts.material import Modality
from embodio.datasets.objectives.parts.settings import PatchSettings
from embodio.datasets.records.record import Record
from embodio.model.example import Example

Settings = TypeVar("Settings", bound=PatchSettings)


class DenoisePatches(ConfiguredObjective[Settings]):
    """The target without some patches, or a description, in; the target out."""

    target: ClassVar[Modality]
    """What is written."""

    def suits(self, record: Record, context: ObjectiveContext) -> bool:
        """Records with the target, for networks that write it, and read it or something else of the record."""
        return self.target in Choices.of(record, context).targets

    def make(self, record: Record, context: ObjectiveContext, generator: np.random.Generator) -> Example:
        """What is kept, the paradigm and the hidden patches are drawn."""
        return patch_example(record, self.target, context, self.config, generator)

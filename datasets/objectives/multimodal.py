"""Multimodal: choose one modality of a record as the target and denoise or generate it (paper, section 4).

The five steps in one: a target among the modalities that the record has and the network writes, by their weights, so
that all of them are well represented; then as `denoise_text`, `denoise_image` and `denoise_audio` do. A video with a
transcript, for example, may become

    1 target     image
    2 kept       text and earlier frames; the sound is dropped
    3 paradigm   [R]
    4 mask       three quarters of the patches of the last frame
    5 prompt     [Image] [R] we <image_history_1> pour the water <image_history_2> in <image_input> slowly
      image      the last frame without hidden patches; image_history: two frames before it
      target     all codes of the last frame
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from embodio.datasets.objectives.objective import ConfiguredObjective, ObjectiveConfig, ObjectiveContext
from embodio.datasets.objectives.parts.five_steps import Choices, opened, patch_example, text_example
from embodio.datasets.objectives.parts.material import MODALITIES, Modality, one_by_rate, unusable
from embodio.datasets.objectives.parts.settings import PatchSettings, SoundSettings, TextSettings
from embodio.datasets.records.record import Record
from embodio.model.example import Example


@dataclass(frozen=True, kw_only=True)
class MultimodalConfig(ObjectiveConfig):
    """Settings of Multimodal; the `weight` of each target is how often it is chosen where a record allows several.

    Attributes:
        text: of text as the target.
        image: of an image as the target.
        audio: of a sound as the target.
    """

    text: TextSettings = field(default_factory=TextSettings)
    image: PatchSettings = field(default_factory=PatchSettings)
    audio: SoundSettings = field(default_factory=SoundSettings)

    def weights(self) -> dict[Modality, float]:
        """The weight of each target."""
        return {"text": self.text.weight, "image": self.image.weight, "audio": self.audio.weight}


class Multimodal(ConfiguredObjective[MultimodalConfig]):
    """A record of any modalities in, one of them out."""

    settings = MultimodalConfig

    @property
    def includes(self) -> frozenset[str]:
        """The objectives with a fixed target, of those that have a weight."""
        return frozenset(f"denoise_{target}" for target, weight in self.config.weights().items() if weight > 0.0)

    def suits(self, record: Record, context: ObjectiveContext) -> bool:
        """Records with a modality that the network writes, and that has a weight."""
        weights = self.config.weights()
        return any(weights[target] > 0.0 for target in Choices.of(record, context).targets)

    def make(self, record: Record, context: ObjectiveContext, generator: np.random.Generator) -> Example:
        """The target is drawn, then all that its own objective draws."""
        record, missing = opened(record)
        possible, weights = Choices.of(record, context, missing).targets, self.config.weights()
        targets = [target for target in MODALITIES if target in possible and weights[target] > 0.0]
        if not targets:
            raise unusable(record, "there is nothing in it that the network writes")
        target = one_by_rate(targets, [weights[target] for target in targets], generator)
        if target == "text":
            return text_example(record, context, self.config.text, generator)
        settings = self.config.image if target == "image" else self.config.audio
        return patch_example(record, target, context, settings, generator)


OBJECTIVE = Multimodal

"""Audio generation: a spectrogram from a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from embodio.model.example import Sound
from embodio.model.processing.audio import target_to_power
from embodio.model.processing.audio_features import Spectrogram
from embodio.model.tasks.base.family import Annotation, Family, Output, with_answer
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.prompts.filling import Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class SoundItem(Annotation):
    """A text and its sound; earlier sounds are the audio history.

    Attributes:
        text: description of the sound.
        sound: at most one segment; None in a request.
    """

    text: str
    sound: Sound | None = None


class MakeSound(Family[SoundItem]):
    """Audio generation (paper, appendix D.3): text in, a spectrogram out."""

    name = "make_sound"
    annotation = SoundItem
    groups = groups_of(plain={"text": "rain on a roof"})
    answer = ("sound",)
    modality = "audio"
    metrics = ("log_spectral_distance",)

    def slots(self, annotation: SoundItem, codec: TaskCodec) -> Mapping[str, Filling]:
        """The text."""
        return {"text": annotation.text}

    def target(self, annotation: SoundItem, codec: TaskCodec) -> Sound | None:
        """The sound."""
        return annotation.sound

    def read(self, written: Output, asked: SoundItem, codec: TaskCodec) -> SoundItem:
        """The mel power of the normalised log-mel spectrogram float32 [T, M]."""
        return with_answer(asked, sound=Spectrogram(target_to_power(np.asarray(written, dtype=np.float32))))


FAMILY = MakeSound()

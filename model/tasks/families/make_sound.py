"""Audio generation: a spectrogram of a sound, music, speech, or of what is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

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
        text: description of the sound or the music, or what is said; "" for the sound of the image or video.
        kind: what is to be made.
        sound: at most one segment; None in a request.
    """

    text: str = ""
    kind: Literal["sound", "music", "speech"] = "sound"
    sound: Sound | None = None


class MakeSound(Family[SoundItem]):
    """Audio generation (paper, appendix D.3): text, or image or video, in; a spectrogram out."""

    name = "make_sound"
    annotation = SoundItem
    groups = groups_of(
        plain={"text": "rain on a roof"},
        music={"text": "a slow waltz on a piano"},
        speech={"text": "Good morning!"},
        seen={},
    )
    answer = ("sound",)
    modality = "audio"
    metrics = ("log_spectral_distance",)

    def slots(self, annotation: SoundItem, codec: TaskCodec) -> Mapping[str, Filling]:
        """The text, unless the sound is that of what is seen."""
        return {"text": annotation.text} if annotation.text else {}

    def group(self, annotation: SoundItem) -> str:
        """`plain` for sounds, `music`, `speech`, or `seen` without a text."""
        if not annotation.text:
            return "seen"
        return "plain" if annotation.kind == "sound" else annotation.kind

    def target(self, annotation: SoundItem, codec: TaskCodec) -> Sound | None:
        """The sound."""
        return annotation.sound

    def read(self, written: Output, asked: SoundItem, codec: TaskCodec) -> SoundItem:
        """The mel power of the normalised log-mel spectrogram float32 [T, M]."""
        return with_answer(asked, sound=Spectrogram(target_to_power(np.asarray(written, dtype=np.float32))))


FAMILY = MakeSound()

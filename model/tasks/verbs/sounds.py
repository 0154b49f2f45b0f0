"""Verbs answered with sound of any length, generated segment by segment as spectrograms."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from embodio.model.errors import is_within
from embodio.model.example import Sound
from embodio.model.generation import GenerationOptions
from embodio.model.processing.audio import TARGET_MEAN, TARGET_STD
from embodio.model.processing.audio_features import HOP, SAMPLE_RATE
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.base.requests import require_able, sampled
from embodio.model.tasks.engine import Engine, Seeds
from embodio.model.tasks.errors import TaskError
from embodio.model.tasks.families.make_sound import MakeSound, SoundItem
from embodio.model.tasks.prompts import Template
from embodio.model.tasks.results import GeneratedSound
from embodio.model.tokenizers.vocoder import spectrogram_to_waveform


class SoundVerbs(Engine):
    """Verbs that generate sound."""

    def make_sounds(
        self,
        texts: Sequence[str],
        *,
        seconds: float | None = None,
        earlier: Sequence[Sequence[Sound]] | None = None,
        guidance: float = 0.0,
        prompt: Template | None = None,
        options: GenerationOptions | None = None,
        seeds: Seeds = 0,
    ) -> list[GeneratedSound]:
        """Generates a sound for each text.

        Args:
            texts: descriptions of the sounds.
            seconds: length of the sounds, by default one segment, 4.08 s in the released models. Longer sounds are
                generated segment by segment, each with the earlier ones as audio history.
            earlier: for each text the sounds before it, oldest first; inputs that are not part of the result.
            guidance: scale of classifier-free guidance, 0 for none.
            prompt: template with the slot {text}.
            options: how to choose codes, by default as in the paper.
            seeds: seeds of sampling, one for each text, or s for s, s + 1, ...

        Raises:
            TaskError: nothing is given, counts differ, the length is not positive, or the model has no audio tokeniser.
            PromptError: a prompt with wrong slots.
            DecodingError: the length needs several segments, but the model has no audio history input.
            BatchError: the vocoder does not fit the model's spectrograms.
        """
        count = self._require_some("texts", texts)
        heard = [()] * count if earlier is None else self._require_pairs("earlier", earlier, count)
        for index, before in enumerate(heard):
            if not isinstance(before, tuple | list):
                raise TaskError(f"earlier[{index}]: expected a list of sounds, found {type(before).__name__}")
        require_able(self.model, "audio")
        samples = self._samples(seconds)
        asked = [
            SoundItem(media=InputMedia(audio_history=tuple(sounds)), text=text)
            for text, sounds in zip(texts, heard, strict=True)
        ]
        examples = [self._asked(MakeSound(), one, prompt) for one in asked]
        segments = math.ceil(samples / self._segment)
        made = self._sound_out(examples, segments, sampled(options, MakeSound.top_p), seeds, guidance)
        return [self._sound(one, samples) for one in made]

    @property
    def _segment(self) -> int:
        """Number of samples of a segment at 16 kHz."""
        tokeniser = self.model.config.audio_tokenizer
        if tokeniser is None:
            raise TaskError("model: it has no audio tokeniser (config.audio_tokenizer), so it makes no sound")
        return (tokeniser.spectrogram_size[1] - 1) * HOP

    def _samples(self, seconds: float | None) -> int:
        """Number of samples at 16 kHz of a length in seconds."""
        if seconds is None:
            return self._segment
        if not is_within(seconds, 1 / SAMPLE_RATE, math.inf):
            raise TaskError(f"seconds: a sound cannot be {seconds!r:.50} s long; give a length above 0, or None")
        return round(seconds * SAMPLE_RATE)

    def _sound(self, spectrogram: Tensor, samples: int) -> GeneratedSound:
        """The sound of a normalised log-mel spectrogram [1, T, M, 1], cut to `samples` at 16 kHz."""
        rate = SAMPLE_RATE if self.vocoder is None else self.vocoder.config.sample_rate
        waveform = spectrogram_to_waveform(spectrogram.float(), self.vocoder)[0].float().cpu().numpy()
        log_mel = spectrogram[0, :, :, 0].float().cpu().numpy() * TARGET_STD + TARGET_MEAN
        return GeneratedSound(waveform[: samples * rate // SAMPLE_RATE], rate, log_mel)

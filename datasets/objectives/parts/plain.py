"""Plain records: a text, an image or a sound, or several of them that belong together."""

from __future__ import annotations

import numpy as np

from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.objectives.parts.material import (
    Draft,
    Material,
    Modality,
    history_slots,
    one_of,
    text_window,
    unusable,
)
from embodio.datasets.records.record import Record
from embodio.model.example import Waveform
from embodio.model.processing.audio_features import AudioError, require_waveform, segment_samples


class PlainRecordReader:
    """Reads records with text, captions or a transcript, an image and a sound."""

    together = False

    def offers(self, record: Record) -> frozenset[Modality]:
        """By the fields that are filled."""
        found = set[Modality]()
        if texts_of(record):
            found.add("text")
        if record.image is not None:
            found.add("image")
        if record.sound is not None:
            found.add("audio")
        return frozenset(found)

    def earlier(self, record: Record) -> frozenset[Modality]:
        """None; segments before that of a long sound come with it."""
        return frozenset()

    def read(self, record: Record, plan: Draft, context: ObjectiveContext, generator: np.random.Generator) -> Material:
        """One of the texts, the image, and a part of the sound."""
        text, image, audio = [], None, list[Waveform]()
        if "text" in plan.reads:
            text = text_window(record, one_of(texts_of(record), generator), plan.room, context.vocabulary, generator)
        if "image" in plan.reads and record.image is not None:
            image = record.image.load()
        if "audio" in plan.reads and record.sound is not None:
            most = 1 if plan.target == "audio" else 1 + history_slots(context, "audio")
            audio = run_of_segments(record, record.sound.load(), most, context, generator)
        last = audio[-1] if audio else None
        return Material(
            text=text,
            image=image if plan.target != "image" or plan.denoise else None,
            image_target=image if plan.target == "image" else None,
            audio=last if plan.target != "audio" or plan.denoise else None,
            audio_history=audio[:-1],
            audio_target=last if plan.target == "audio" else None,
        )


def texts_of(record: Record) -> tuple[str, ...]:
    """The texts of a record, each of which is a text of its own: running text, captions, the transcript."""
    return tuple(text for text in (record.text, *record.captions, record.transcript) if text.strip())


def segment_length(context: ObjectiveContext) -> int:
    """Samples of a segment that fits input and target."""
    config = context.config
    frames = [config.audio_size[0]] if config.audio_tower is not None else []
    frames += [config.audio_tokenizer.spectrogram_size[1]] if config.audio_tokenizer is not None else []
    return segment_samples(min(frames))


def heard(record: Record, sound: Waveform) -> Waveform:
    """A sound that is not empty, undefined or digital silence; raises UnusableRecord."""
    try:
        waveform = require_waveform(sound, "sound")
    except AudioError as error:
        raise unusable(record, str(error)) from error
    if not waveform.any():
        raise unusable(record, "the sound is silent")
    return waveform


def run_of_segments(
    record: Record, sound: Waveform, most: int, context: ObjectiveContext, generator: np.random.Generator
) -> list[Waveform]:
    """Up to `most` segments of a sound, one after the other, from a random place on; a short sound is one as it is."""
    waveform, segment = heard(record, sound), segment_length(context)
    count = min(most, len(waveform) // segment)
    if count < 1:
        return [waveform]
    start = int(generator.integers(0, len(waveform) - count * segment, endpoint=True))
    return list(waveform[start : start + count * segment].reshape(count, segment))

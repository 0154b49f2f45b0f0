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
    spoken_part,
    text_window,
    unusable,
)
from embodio.datasets.records.record import Record
from embodio.model.example import Waveform
from embodio.model.processing.audio import SPARE_SAMPLES
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
        """One of the texts, the image, and the sound or a part of it; of a transcript, what is said in that part."""
        text, image, audio = "", None, list[Waveform]()
        if "text" in plan.reads:
            text = one_of(texts_of(record), generator)
        if "image" in plan.reads and record.image is not None:
            image = record.image.load()
        if "audio" in plan.reads and record.sound is not None:
            sound = heard(record, record.sound.load())
            most = 1 if plan.target == "audio" else 1 + history_slots(context, "audio")
            start, audio = run_of_segments(sound, most, segment_length(context), generator)
            end = start + sum(map(len, audio))
            if text is record.transcript and len(sound) - (end - start) > SPARE_SAMPLES:
                text = spoken_part(text, start, end, len(sound))
        last = audio[-1] if audio else None
        return Material(
            text=text_window(record, text, plan.room, context.vocabulary, generator) if text else (),
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
    sound: Waveform, most: int, segment: int, generator: np.random.Generator
) -> tuple[int, list[Waveform]]:
    """The segments of a sound, one after the other: all of it where it fits, the last one as long as what is left.

    A rest of at most 0.1 s is left out.

    Args:
        sound: float32 [samples].
        most: segments, at most; of a longer sound they begin at a random place.
        segment: samples of a segment.
        generator: of the draw.

    Returns:
        The sample with which the first one begins, and the segments.
    """
    length, start = len(sound), 0
    count = -(-max(1, length - SPARE_SAMPLES) // segment)
    if count > most:
        count = most
        start = int(generator.integers(0, length - count * segment, endpoint=True))
    ends = range(start + segment, start + count * segment + 1, segment)
    return start, [sound[end - segment : end] for end in ends]

"""Videos: up to five frames with their sound, and text with a reference where each occurs (paper, appendix C.1).

The last frame is the image input or target, those before it are the history; sounds likewise. The frames are the
middles of equal parts of a random stretch of the video, each sound is that of a part. A transcript of ten tokens over a
stretch of two parts, with a reference to the frame and the sound of each in its middle:

    10 11 <image_history_1> <audio_history_1> 12 13 14 15 16 <image_input> <audio_input> 17 18 19
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.objectives.parts.material import (
    MOST_EARLIER,
    Draft,
    Material,
    Modality,
    history_slots,
    one_of,
    spoken_part,
    text_window,
    unusable,
)
from embodio.datasets.objectives.parts.plain import heard, segment_length, texts_of
from embodio.datasets.records.record import Record, Video
from embodio.model.example import Image, Waveform
from embodio.model.processing.audio import segments_of_parts
from embodio.model.processing.audio_features import SAMPLE_RATE
from embodio.model.tokens.vocabulary import Vocabulary

_LONGEST_WORD = 8
"""Tokens within which the next word is looked for; languages without spaces have none."""


class VideoReader:
    """Reads records with a video, and its captions or transcript."""

    together = False

    def offers(self, record: Record) -> frozenset[Modality]:
        """Frames, sound, and text where there is one; whether the video has sound shows when it is decoded."""
        return frozenset({"image", "audio", "text"} if texts_of(record) else {"image", "audio"})

    def earlier(self, record: Record) -> frozenset[Modality]:
        """Frames and sounds."""
        return frozenset({"image", "audio"})

    def read(self, record: Record, plan: Draft, context: ObjectiveContext, generator: np.random.Generator) -> Material:
        """Frames and sounds of a stretch, and the text that goes with it."""
        if record.video is None:
            raise unusable(record, "there is no video")
        video = record.video.load()
        if not len(video.frames) or not video.rate > 0:
            raise unusable(record, "the video has no frames, or no rate")
        text = one_of(texts_of(record), generator) if "text" in plan.reads else ""
        spoken = bool(text) and text is record.transcript
        most = 1 + min(MOST_EARLIER, max(history_slots(context, "image"), history_slots(context, "audio")))
        count = min(most, len(video.frames))
        heard_too = spoken and "audio" in plan.reads and video.sound is not None
        start, length = _stretch(video, count, segment_length(context) if heard_too else None, generator)
        middles = [start + (2 * part + 1) * length // (2 * count) for part in range(count)]
        images = [video.frames[middle] for middle in middles] if "image" in plan.reads else []
        sounds = _sounds(record, video, start, length, count, context) if "audio" in plan.reads else []
        material = _divided(plan, images, sounds, context)
        if not text:
            return material
        if spoken:
            text = spoken_part(text, start, start + length, len(video.frames))
        ids = text_window(record, text, plan.room, context.vocabulary, generator)
        parts = _references(material, count, context.vocabulary)
        if spoken:
            return replace(material, text=_between(ids, parts, context.vocabulary))
        return replace(material, text=[*(token for part in parts for token in part), *ids])


def _stretch(video: Video, count: int, segment: int | None, generator: np.random.Generator) -> tuple[int, int]:
    """First frame and number of frames of a stretch at a random place, at least half the video if it is not too long.

    Args:
        video: of at least `count` frames.
        count: parts of the stretch.
        segment: samples that are heard of each part, where all that is said in the stretch is to be heard.
        generator: of the draws.
    """
    frames = longest = len(video.frames)
    if segment is not None:
        longest = min(frames, max(count, int(count * segment / SAMPLE_RATE * video.rate)))
    length = int(generator.integers(max(count, min(longest, frames // 2)), longest, endpoint=True))
    return int(generator.integers(0, frames - length, endpoint=True)), length


def _sounds(
    record: Record, video: Video, start: int, length: int, count: int, context: ObjectiveContext
) -> list[Waveform]:
    if video.sound is None:
        return []
    begin, end = (int(frame / video.rate * SAMPLE_RATE) for frame in (start, start + length))
    seconds = length / video.rate
    if int(seconds * SAMPLE_RATE) < count or not len(video.sound[begin:end]):
        return []
    return segments_of_parts(heard(record, video.sound)[begin:end], seconds, count, segment_length(context))


def _divided(plan: Draft, images: list[Image], sounds: list[Waveform], context: ObjectiveContext) -> Material:
    """The last frame and sound as input or target, as planned, and those before them as history where they are kept."""
    given, written, histories = dict[str, Any](), dict[str, Any](), dict[str, Any]()
    for modality, frames in (("image", images), ("audio", sounds)):
        if not frames:
            continue
        if plan.target == modality:
            written[f"{modality}_target"] = frames[-1]
        if plan.target != modality or plan.denoise:
            given[modality] = frames[-1]
        slots = history_slots(context, modality) if modality in plan.kept else 0
        earlier = frames[:-1][-slots:] if slots else []
        still = plan.target == modality and any(np.array_equal(one, frames[-1]) for one in earlier)
        histories[f"{modality}_history"] = [] if still else earlier  # which would show what is to be written
    return Material(**given, **written, **histories)


def _references(material: Material, count: int, vocabulary: Vocabulary) -> list[list[int]]:
    """The ids that refer to the frame and the sound of each part, where they are given."""
    found = [list[int]() for _ in range(count)]
    for number in range(len(material.image_history)):
        found[count - 1 - len(material.image_history) + number].append(vocabulary.image_history_id(number + 1))
    if material.image is not None:
        found[-1].append(vocabulary.image_input_id)
    for number in range(len(material.audio_history)):
        found[count - 1 - len(material.audio_history) + number].append(vocabulary.audio_history_id(number + 1))
    if material.audio is not None:
        found[-1].append(vocabulary.audio_input_id)
    return found


def _between(ids: list[int], parts: Sequence[Sequence[int]], vocabulary: Vocabulary) -> list[int]:
    """A text with the references of each part in the middle of the part's share, between words."""
    text, last = list[int](), 0
    for number, part in enumerate(parts):
        middle = max(last, _word_start(ids, (2 * number + 1) * len(ids) // (2 * len(parts)), vocabulary))
        text += [*ids[last:middle], *part]
        last = middle
    return text + ids[last:]


def _word_start(ids: list[int], place: int, vocabulary: Vocabulary) -> int:
    """The nearest place from `place` on where a word begins; `place` itself if there is none within a few tokens."""
    for later in range(place, min(place + _LONGEST_WORD, len(ids))):
        if later == 0 or " " in vocabulary.decode(ids[later - 1 : later + 1]):
            return later
    return place

"""The five steps from a record to an example: target, other inputs, paradigm, mask, prefix (paper, section 4).

1. the target modality: given, or chosen by `embodio.datasets.objectives.multimodal`
2. which of the record's other parts are kept
3. the paradigm: [R], [S] or, for text, [X]
4. what is hidden: spans of text or patches
5. the token that says target and paradigm opens the prompt
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.objectives.parts.document import DocumentReader
from embodio.datasets.objectives.parts.hidden_patches import hidden_in_image, hidden_in_sound
from embodio.datasets.objectives.parts.material import (
    MODALITIES,
    MOST_EARLIER,
    Draft,
    Material,
    MaterialReader,
    Modality,
    history_slots,
    keep_end,
    one_of,
    references,
    unusable,
)
from embodio.datasets.objectives.parts.plain import PlainRecordReader
from embodio.datasets.objectives.parts.settings import PatchSettings, TextSettings
from embodio.datasets.objectives.parts.spans import choose_denoiser, corrupt, hidden_tokens, longest_text
from embodio.datasets.objectives.parts.video import VideoReader
from embodio.datasets.records.record import Media, Record
from embodio.model.example import NEUTRAL_PROMPTS, Example
from embodio.model.tokens.vocabulary import SENTINELS

_REFERENCES = 2 * (1 + MOST_EARLIER)
"""Tokens of a prompt that may refer to inputs."""

_SPLITS = 1 + MOST_EARLIER
"""Spans that such references, a frame's and its sound's at one place, may divide in two; each needs a sentinel more."""

_ENDS = 2
"""Tokens of a prompt besides its text: the prefix and the end of the sequence."""


def reader_of(record: Record) -> MaterialReader:
    """The kind of a record: a video, a document, or plain."""
    if record.video is not None:
        return VideoReader()
    return DocumentReader() if len(record.document) else PlainRecordReader()


def opened(record: Record) -> tuple[Record, frozenset[Modality]]:
    """A record whose video is decoded, and what it lacks against expectation; other records as they are.

    A sound track of digital silence is as none.

    Raises:
        CorruptRecordError: the video cannot be decoded.
    """
    if record.video is None:
        return record, frozenset()
    video = record.video.load()
    if video.sound is not None and not video.sound.any():
        video = replace(video, sound=None)
    return replace(record, video=Media.of(video)), frozenset({"audio"} if video.sound is None else ())


@dataclass(frozen=True)
class Choices:
    """What may be made of a record for a network.

    Attributes:
        targets: modalities that can be the target.
        denoised: those of them that can be denoised, as the network also reads them.
        given: modalities that can be given with a target, or all of which are with `together`; the target's own stands
            for earlier frames.
        together: whether all that can be given is.
    """

    targets: frozenset[Modality]
    denoised: frozenset[Modality]
    given: dict[Modality, tuple[Modality, ...]]
    together: bool

    @classmethod
    def of(cls, record: Record, context: ObjectiveContext, missing: frozenset[Modality] = frozenset()) -> Choices:
        """By what the record offers, without what is `missing`, and what the network reads and writes."""
        reader, config = reader_of(record), context.config
        offers, earlier = reader.offers(record) - missing, reader.earlier(record)
        read = [one for one in MODALITIES if one in offers and one in config.input_modalities]
        given = {
            target: tuple(one for one in read if one != target or (one in earlier and history_slots(context, one) > 0))
            for target in MODALITIES
        }
        written = [one for one in MODALITIES if one in offers and one in config.target_modalities]
        targets = frozenset(one for one in written if one == "text" or one in read or given[one])
        return cls(targets, targets & frozenset(read), given, reader.together)


def text_example(
    record: Record, context: ObjectiveContext, settings: TextSettings, generator: np.random.Generator
) -> Example:
    """Text as the target: some of it, or all of it with the other parts kept."""
    record, missing = opened(record)
    choices = Choices.of(record, context, missing)
    kept, all_given = _kept(choices, "text", settings.keep, generator), frozenset(choices.given["text"])
    denoiser = choose_denoiser(tuple(settings.denoisers.values()), generator)
    whole = denoiser.paradigm == "S" and bool(kept) and (choices.together or generator.random() < settings.whole)
    lengths = context.config.lengths
    room = lengths.decoder_text - 1
    if not whole:
        splits = 0 if record.video is None else _SPLITS
        room = longest_text(denoiser, lengths.encoder_text - _ENDS - _REFERENCES - splits, room - splits)
    drafts = [Draft("text", one, room=room) for one in (kept, all_given)]
    material, _ = _material(record, drafts, context, generator)
    if whole and not (material.shows or len(material.before)):  # what was kept is absent: a beginning is given
        whole, fits = False, longest_text(denoiser, lengths.encoder_text - _ENDS, lengths.decoder_text - 1)
        material = replace(material, text=material.text[:fits])
    ids = np.asarray(material.text, dtype=np.int64)
    refers = references(ids, context.vocabulary)
    free = int(np.count_nonzero(~refers))
    if free == 1 or whole:
        denoiser, hidden = replace(denoiser, paradigm="S"), np.ones(free, dtype=np.bool_)
    else:
        hidden = hidden_tokens(free, denoiser, generator, most=SENTINELS - _REFERENCES)
    mask = np.zeros(len(ids), dtype=np.bool_)
    mask[~refers] = hidden
    given, target = corrupt(material.text, mask, denoiser.paradigm, context.vocabulary)
    return _example(material, "text", denoiser.paradigm, given, context, text_target=target)


def patch_example(
    record: Record,
    target: Modality,
    context: ObjectiveContext,
    settings: PatchSettings,
    generator: np.random.Generator,
) -> Example:
    """An image or a sound as the target: denoised, or generated from the other parts."""
    record, missing = opened(record)
    choices = Choices.of(record, context, missing)
    kept = _kept(choices, target, settings.keep, generator)
    denoise = target in choices.denoised and generator.random() < settings.denoise
    if not kept and not denoise:
        others = choices.given[target]
        denoise = not others
        kept = frozenset([one_of(others, generator)] if others else ())
    room = context.config.lengths.encoder_text - _ENDS - _REFERENCES
    drafts = [Draft(target, kept, denoise, room), Draft(target, frozenset(choices.given[target]), denoise, room)]
    if target in choices.denoised:
        drafts.append(Draft(target, kept, True, room))
    material, draft = _material(record, drafts, context, generator)
    kept, denoise = draft.kept, draft.denoise
    written = material.image_target if target == "image" else material.audio_target
    if written is None:
        raise unusable(record, f"there is no {target} in it")
    fields: dict[str, Any] = {f"{target}_target": written}
    paradigm = "R" if denoise else "S"
    if denoise and material.image is not None and target == "image":
        fields["image_hidden"] = hidden_in_image(record, material.image, settings.share, context, generator)
    elif denoise and material.audio is not None:
        fields["audio_hidden"] = hidden_in_sound(record, material.audio, settings.share, context, generator)
    elif kept == {"text"} and len(material.text) and generator.random() < settings.neutral:
        prefix = context.vocabulary.prefix_id(target, paradigm)
        return Example(text=[prefix, NEUTRAL_PROMPTS[target]], **fields)
    return _example(material, target, paradigm, material.text, context, **fields)


def _material(
    record: Record, drafts: Sequence[Draft], context: ObjectiveContext, generator: np.random.Generator
) -> tuple[Material, Draft]:
    """The material of the first draft with which something is given besides what is to be written.

    Raises:
        CorruptRecordError, UnusableRecord: as `MaterialReader.read`; the latter too if no draft gives anything.
    """
    reader = reader_of(record)
    for draft in drafts:
        material = reader.read(record, draft, context, generator)
        free = int(np.count_nonzero(~references(material.text, context.vocabulary)))
        if draft.target == "text" and not free:
            raise unusable(record, "the text has no tokens")
        if material.shows or len(material.before) or free > (draft.target == "text"):
            return material, draft
    raise unusable(record, "nothing is given to write it from")


def _kept(choices: Choices, target: Modality, keep: float, generator: np.random.Generator) -> frozenset[Modality]:
    """The other parts that are kept, each with the same probability."""
    others = choices.given[target]
    return frozenset(others if choices.together else (one for one in others if generator.random() < keep))


def _example(
    material: Material,
    target: Modality,
    paradigm: str,
    given: Sequence[int],
    context: ObjectiveContext,
    **fields: Any,
) -> Example:
    """The example: prefix, earlier text and what is given of the text as the prompt, and all inputs."""
    vocabulary = context.vocabulary
    room = context.config.lengths.encoder_text - _ENDS - len(given)
    return Example(
        text=[vocabulary.prefix_id(target, paradigm), *keep_end(material.before, room, vocabulary), *given],
        image=material.image,
        image_history=material.image_history,
        audio=material.audio,
        audio_history=material.audio_history,
        **fields,
    )

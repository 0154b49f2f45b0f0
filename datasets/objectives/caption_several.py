"""CaptionSeveralImages: several captioned images at once, each referred to by its token (paper, appendix C.1).

Records of the same source are drawn to the record, which keeps its own image as the last one; long captions are cut so
that all of them fit the network. One of three things is
asked, with `<h1>` for the first image of the history and `<im>` for the main image:

    denoise   prompt  [Text] [R] <h1> A red <s0> on a table. <im> A dog.       target  <s0> cup
    one       prompt  [Text] [S] Write a caption for the picture <h1>.         target  A red cup on a table.
    all       prompt  [Text] [S] Write each image's mark and a caption for it.
              target  <h1> A red cup on a table. <im> A dog.

The wordings of the last two are those of the family `caption_several`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embodio.datasets.errors import DatasetError, UnusableRecord
from embodio.datasets.objectives.objective import ConfiguredObjective, ObjectiveConfig, ObjectiveContext
from embodio.datasets.objectives.parts.asking import able, asked, frame_slots
from embodio.datasets.objectives.parts.material import unusable, whole_words
from embodio.datasets.objectives.parts.spans import UL2, choose_denoiser, corrupt, hidden_tokens
from embodio.datasets.records.record import Record
from embodio.model.example import Example
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.families.caption_several import FAMILY, SeveralCaptions, references

_TRIES = 4  # draws for each partner
_ENDS = 2  # tokens of a prompt besides references and captions: the prefix and the end of the sequence
_WITH_SENTINELS = tuple(denoiser for denoiser in UL2.values() if denoiser.paradigm != "S")


@dataclass(frozen=True, kw_only=True)
class CaptionSeveralConfig(ObjectiveConfig):
    """Settings of CaptionSeveralImages.

    Attributes:
        most: largest number of images; the network's slots for histories limit it too.
        denoise: how often one caption is denoised, up to a common factor.
        one: how often the caption of one image is asked for.
        all: how often all captions are asked for.
    """

    most: int = 5
    denoise: float = 1.0
    one: float = 1.0
    all: float = 1.0

    def __post_init__(self) -> None:
        """Checks ranges; raises DatasetError."""
        super().__post_init__()
        if self.most < 2:
            raise DatasetError(f"most: got {self.most}, expected at least 2 images")
        rates = {"denoise": self.denoise, "one": self.one, "all": self.all}
        if not all(rate >= 0 for rate in rates.values()) or not sum(rates.values()) > 0:
            raise DatasetError(f"denoise, one, all: got {rates}, expected numbers of at least 0, one of them above")


class CaptionSeveralImages(ConfiguredObjective[CaptionSeveralConfig]):
    """Several images in; a part of one caption, one caption or all captions out."""

    settings = CaptionSeveralConfig

    def suits(self, record: Record, context: ObjectiveContext) -> bool:
        """Records with a captioned image and partners, for networks with an image history."""
        return (
            context.partner is not None and _captioned(record) and frame_slots(context) > 0 and able(context, ["image"])
        )

    def make(self, record: Record, context: ObjectiveContext, generator: np.random.Generator) -> Example:
        """Partners are drawn, then captions, then what is asked.

        Raises:
            UnusableRecord: the partners that were drawn have no captioned image.
        """
        config = self.config
        records = [*_partners(record, context, config.most, generator), record]
        captions = tuple(one.captions[int(generator.integers(len(one.captions)))].strip() for one in records)
        pictures = [one.image.load() for one in records if one.image is not None]
        media = InputMedia(image=pictures[-1], image_history=pictures[:-1])
        rates = np.array([config.denoise, config.one, config.all])
        mode = int(generator.choice(3, p=rates / rates.sum()))
        if mode == 0:
            return _denoised(captions, media, context, generator)
        room = (context.config.lengths.decoder_text - 1) // (len(records) if mode == 2 else 1) - 1
        captions = tuple(_fitting(caption, room, context) for caption in captions)
        wanted = int(generator.integers(len(records))) if mode == 1 else None
        answer = captions if wanted is None else (captions[wanted],)
        return asked(FAMILY, SeveralCaptions(media=media, captions=answer, wanted=wanted), context, generator)


def _captioned(record: Record) -> bool:
    return record.image is not None and bool(record.captions) and all(text.strip() for text in record.captions)


def _partners(record: Record, context: ObjectiveContext, most: int, generator: np.random.Generator) -> list[Record]:
    """Other records with a captioned image, at least one, none of which has a caption of another one."""
    wanted = int(generator.integers(1, min(most - 1, frame_slots(context)), endpoint=True))
    if context.partner is None:
        raise DatasetError(f"{record.key!r} has no partners; ask `suits` before")
    found, said = dict[str, Record](), set(record.captions)
    for _ in range(wanted * _TRIES):
        other = context.partner(generator)
        if other.key != record.key and _captioned(other) and not said & set(other.captions):
            found[other.key] = other
            said |= set(other.captions)
        if len(found) == wanted:
            break
    if not found:
        raise unusable(record, "none of the records drawn to it has an image with a caption")
    return list(found.values())


def _fitting(caption: str, room: int, context: ObjectiveContext) -> str:
    """The first words of a caption, of at most `room` tokens."""
    while (length := len(context.vocabulary.encode(caption))) > room and len(caption) > 1:
        caption = whole_words(caption, 0, max(1, min(len(caption) - 1, len(caption) * room // length))).strip()
    return caption


def _denoised(
    captions: Sequence[str], media: InputMedia, context: ObjectiveContext, generator: np.random.Generator
) -> Example:
    """References and captions, one of which has hidden spans."""
    vocabulary = context.vocabulary
    texts = [vocabulary.encode(caption) for caption in captions]
    lengths = context.config.lengths
    room = min((lengths.encoder_text - _ENDS) // len(texts), lengths.decoder_text // 2) - 1
    texts = [ids[:room] for ids in texts]
    possible = [number for number, ids in enumerate(texts) if len(ids) > 1]
    if not possible:
        raise UnusableRecord(captions[0], 0, "the captions have a token each; there is nothing to hide")
    chosen = possible[int(generator.integers(len(possible)))]
    denoiser = choose_denoiser(_WITH_SENTINELS, generator)
    mask = hidden_tokens(len(texts[chosen]), denoiser, generator)
    given, target = corrupt(texts[chosen], mask, denoiser.paradigm, vocabulary)
    prompt: list[str | int] = [vocabulary.prefix_id("text", denoiser.paradigm)]
    for number, (reference, ids) in enumerate(zip(references(vocabulary, len(texts) - 1), texts, strict=True)):
        prompt += [reference, *(given if number == chosen else ids)]
    return Example(text=prompt, image=media.image, image_history=media.image_history, text_target=target)


OBJECTIVE = CaptionSeveralImages

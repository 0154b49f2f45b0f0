"""Documents: text and images in reading order; one paragraph or one image of them is the target (paper, appendix C.1).

Earlier images are context, at most five for a paragraph and four for an image: the last one is the image input, the
others are the history, and the earlier text refers to each where it is. With two images before the paragraph that is
chosen from

    "A cat." IMAGE "A dog." IMAGE "They met."

the context that is given is the first three parts, the cat as history and the dog as image input:

    A cat. <image_history_1> A dog. <image_input>
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from embodio.datasets.errors import DatasetError
from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.objectives.parts.material import (
    CHARACTERS,
    MOST_EARLIER,
    Draft,
    Material,
    Modality,
    encoded,
    history_slots,
    one_of,
    text_window,
)
from embodio.datasets.records.record import Record
from embodio.model.example import Image


class DocumentReader:
    """Reads records with a document. Text and images are always kept together."""

    together = True

    def offers(self, record: Record) -> frozenset[Modality]:
        """Text and images, as there are."""
        found = set[Modality]()
        if _paragraphs(record):
            found.add("text")
        if _images(record):
            found.add("image")
        return frozenset(found)

    def earlier(self, record: Record) -> frozenset[Modality]:
        """Images, where there are several."""
        return frozenset({"image"} if len(_images(record)) > 1 else ())

    def read(self, record: Record, plan: Draft, context: ObjectiveContext, generator: np.random.Generator) -> Material:
        """A paragraph or an image, and what is before it."""
        vocabulary, images = context.vocabulary, _images(record)
        slots = history_slots(context, "image")
        slots = 1 + slots if "image" in context.config.input_modalities else 0
        if plan.target == "text":
            places = _paragraphs(record)
            after_an_image = [place for place in places if place > min(images, default=len(record.document))]
            place = one_of(after_an_image or places, generator)
        else:
            place = one_of(images, generator)
            slots = slots - 1 if plan.denoise else min(slots, MOST_EARLIER)
        written = _image(record, place) if plan.target == "image" else None
        loaded = _earlier(record, [one for one in images if one < place], slots, written)
        if written is not None and plan.denoise:
            loaded[place] = written
        shown = list(loaded.values())
        before = _before(record, place, list(loaded), context)
        material = Material(before=before, image=shown[-1] if shown else None, image_history=shown[:-1])
        if written is not None:
            return replace(material, image_target=written)
        return replace(
            material, text=text_window(record, str(record.document[place]), plan.room, vocabulary, generator)
        )


def _paragraphs(record: Record) -> list[int]:
    return [place for place, part in enumerate(record.document) if isinstance(part, str) and part.strip()]


def _words(record: Record, place: int) -> list[str]:
    """The words of a paragraph; none of an image."""
    part = record.document[place]
    return part.split() if isinstance(part, str) else []


def _images(record: Record) -> list[int]:
    return [place for place, part in enumerate(record.document) if not isinstance(part, str)]


def _image(record: Record, place: int) -> Image:
    part = record.document[place]
    if isinstance(part, str):
        raise DatasetError(f"{record.key!r}: part {place} of the document is not an image")
    return part.load()


def _earlier(record: Record, places: Sequence[int], most: int, written: Image | None) -> dict[int, Image]:
    """The last images before a place, by their places; those that are the one to be written again are left out."""
    found = dict[int, Image]()
    for place in reversed(places):
        if len(found) >= most:
            break
        image = _image(record, place)
        if written is None or not np.array_equal(image, written):
            found[place] = image
    return dict(reversed(found.items()))


def _before(record: Record, place: int, inputs: Sequence[int], context: ObjectiveContext) -> list[int]:
    """The text before a place, with references to the inputs; the text after an image if there is none before it.

    As much of the end as the network may take is encoded. Paragraphs that are the one to be written again are left out.
    """
    vocabulary, longest = context.vocabulary, context.config.lengths.encoder_text
    names = [vocabulary.image_history_id(number + 1) for number in range(len(inputs) - 1)]
    refers = dict(zip(inputs, [*names, vocabulary.image_input_id], strict=False))
    paragraphs = _paragraphs(record)
    written = _words(record, place)
    places = [one for one in paragraphs if one < place and (not written or _words(record, one) != written)]
    if not places and place not in paragraphs:
        places = [one for one in paragraphs if one > place][:1]
    found, texts = list[list[int]](), 0
    for one in sorted({*places, *refers}, reverse=True):
        part = record.document[one]
        if one in refers:
            found.append([refers[one]])
        elif isinstance(part, str) and texts < longest:
            found.append(encoded(record, part[-CHARACTERS * longest :], vocabulary))
            texts += len(found[-1])
    return [token for part in reversed(found) for token in part]

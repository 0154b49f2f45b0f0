"""Batches of labelled pictures for the image encoder."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from embodio.datasets.errors import ExampleError
from embodio.datasets.stream.numbered_batches import NumberedBatches
from embodio.datasets.stream.order import generator_at
from embodio.model.config.parts import Size
from embodio.model.network.batch import Allocate, Batch, collate
from embodio.model.processing.image import image_to_patches
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.train.image_encoder.labels import NO_WORD, LabelledPicture, Words, on_canvas
from embodio.train.image_encoder.queries import drawn_query
from embodio.train.tokenizers.media import CorpusMedia, held_out_in_batches
from embodio.train.validation import HeldOutBatches

_WHOLE = 0.3
"""Share of training pictures that are shown whole; of the others at least `_SMALLEST` of each side is seen."""
_SMALLEST = 0.5
_BRIGHTNESS = 0.3


class LabelledBatches(NumberedBatches[CorpusMedia]):
    """Batches of pictures and queries as inputs of the network, with the fields of `PatchLabels` and `Query`.

    Only patches that show something are in a batch, [B, P, ...], P the most that one of its pictures has.

    Args:
        media: pictures of the training split.
        words: that are learned.
        vocabulary: in which things are asked for.
        seed: of the order and of all draws.
        batch_size: pictures in a batch.
        canvas: (height, width) in pixels.
        patch: side of a patch in pixels.
    """

    def __init__(
        self,
        media: CorpusMedia,
        words: Words,
        vocabulary: Vocabulary,
        seed: int,
        batch_size: int,
        canvas: Size,
        patch: int,
    ) -> None:
        super().__init__(media, seed, batch_size)
        self._words, self._vocabulary, self._canvas, self._patch = words, vocabulary, canvas, patch

    def make(self, step: int, allocate: Allocate = np.empty) -> tuple[Batch, tuple[ExampleError, ...]]:
        """Batch number `step`, and what was wrong with the pictures that were replaced in it."""
        rows, damage = self._all_whole(step, self._row)
        return collate(rows, drop_full_masks=False, allocate=allocate), damage

    def _row(self, media: CorpusMedia, record: int, position: int) -> dict[str, np.ndarray]:
        generator = generator_at(self._seed, position)
        picture = drawn(self._words.labelled(media, record), generator)
        return _fields(picture, self._vocabulary, generator, self._canvas, self._patch)


def drawn(picture: LabelledPicture, generator: np.random.Generator) -> LabelledPicture:
    """A training view: whole or a part of it, maybe mirrored, a little brighter or darker, with its labels."""
    image, masks, boxes = picture.image, picture.masks, picture.boxes
    height, width = image.shape[:2]
    if generator.random() >= _WHOLE:
        tall, wide = (max(1, round(side * generator.uniform(_SMALLEST, 1.0))) for side in (height, width))
        top, left = int(generator.integers(height - tall + 1)), int(generator.integers(width - wide + 1))
        image = image[top : top + tall, left : left + wide]
        masks = None if masks is None else masks[top : top + tall, left : left + wide]
        if boxes is not None:
            boxes = (boxes - np.tile([top, left], 2)).clip(0, [tall, wide, tall, wide]).astype(np.float32)
    if generator.random() < 0.5:
        image = image[:, ::-1]
        masks = None if masks is None else masks[:, ::-1]
        if boxes is not None:
            right = image.shape[1]
            boxes = np.stack([boxes[:, 0], right - boxes[:, 3], boxes[:, 2], right - boxes[:, 1]], axis=1)
    bright = generator.uniform(1 - _BRIGHTNESS, 1 + _BRIGHTNESS)
    image = np.clip(image * np.float32(bright), 0, 255).astype(np.uint8)
    return replace(picture, image=image, masks=masks, boxes=boxes)


def held_out_pictures(
    media: CorpusMedia, words: Words, vocabulary: Vocabulary, canvas: Size, patch: int, batch_size: int, count: int
) -> HeldOutBatches:
    """Maker of the held-out batches: `count` pictures spread evenly over the split, whole."""

    def load(index: int) -> dict[str, np.ndarray]:
        return _fields(words.labelled(media, index), vocabulary, generator_at(0, index), canvas, patch)

    return held_out_in_batches(media, count, batch_size, load, partial(collate, drop_full_masks=False))


def _fields(
    picture: LabelledPicture, vocabulary: Vocabulary, generator: np.random.Generator, canvas: Size, patch: int
) -> dict[str, np.ndarray]:
    labels = on_canvas(picture, canvas, patch)
    query = drawn_query(picture, labels, vocabulary, generator)
    (shown,) = np.nonzero(labels.shown)
    if not shown.size:  # thinner than a pixel of the canvas
        shown = np.zeros(1, np.int64)
    return {
        "inputs/text/tokens": query.tokens,
        "inputs/text/mask": query.mask,
        "inputs/image/input": image_to_patches(picture.image, canvas, patch)[shown],
        "inputs/image/mask": np.ones(len(shown), np.bool_),
        "inputs/image/pos_ids": shown,
        "thing": labels.things[shown] != NO_WORD,
        "words": labels.words[shown],
        "corners": labels.corners[shown],
        "known": labels.known[shown],
        "meant": query.meant[shown],
        "whole": labels.whole,
        "box": query.box,
        "asked": query.asked,
        "one": query.one,
    }

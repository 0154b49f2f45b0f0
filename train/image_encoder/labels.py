"""Labels of pictures: the words of their captions, and of each thing its words, its pixels and its box."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import DatasetError, FeatureError
from embodio.datasets.records.facts import texts_of, things_of
from embodio.datasets.records.record import Record
from embodio.model.config.parts import Size
from embodio.model.processing.image import ImageFit, resize_nearest
from embodio.train.image_encoder.settings import WordsConfig
from embodio.train.tokenizers.media import CorpusMedia

_WORD = re.compile(r"[a-z]{3,}")
_CAPTIONS = ("title", "category", "keywords")
_LEAST = 1 / 32  # of a patch that a thing covers
NO_WORD = -1
MOST_WORDS = 4
"""Words of a name that are kept."""
MOST_WHOLE = 24
"""Words of captions that are kept."""


@dataclass(frozen=True, eq=False)
class LabelledPicture:
    """A picture and what is in it.

    Attributes:
        image: uint8 [H, W, 3].
        whole: numbers of the words of its captions.
        masks: [H, W], the number of the thing from 1 on in each pixel, 0 for none; None where things are not known.
        names: numbers of the words of each thing.
        boxes: float32 [things, 4] as (y1, x1, y2, x2) in pixels.
        labels: the name of each thing.
    """

    image: npt.NDArray[np.uint8]
    whole: Sequence[int]
    masks: npt.NDArray[np.int64] | None = None
    names: Sequence[Sequence[int]] = ()
    boxes: npt.NDArray[np.float32] | None = None
    labels: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class PatchLabels:
    """Labels on the grid of patches of a canvas.

    Attributes:
        things: int64 [N], the thing that a patch shows as its place in the lists of the picture, NO_WORD for none.
        words: int64 [N, MOST_WORDS], numbers of the words of the thing, NO_WORD where there are no more of them.
        corners: float32 [N, 4], the box of the thing as (y1, x1, y2, x2) in shares of the canvas.
        shown: bool [N], the patches that show the picture and no padding, as the network sees them.
        known: bool [N], those of them of which it is known what they show; a thing whose box has no area is not.
        whole: int64 [MOST_WHOLE], the words of captions.
    """

    things: npt.NDArray[np.int64]
    words: npt.NDArray[np.int64]
    corners: npt.NDArray[np.float32]
    shown: npt.NDArray[np.bool_]
    known: npt.NDArray[np.bool_]
    whole: npt.NDArray[np.int64]


class Words:
    """The words of a run and their numbers.

    Args:
        words: in the order of their numbers.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._numbers = {word: number for number, word in enumerate(self.words)}

    @classmethod
    def of(cls, media: CorpusMedia, config: WordsConfig) -> Words:
        """The most frequent words of what is taught of the pictures of a split, read without its media.

        Of records that training skips, because they are damaged or have no picture, no words are counted.

        Raises:
            CorruptRecordError, FeatureError: some are damaged, and the others have no words.
        """
        counts, damage = Counter[str](), list[DatasetError]()
        for words in media.each(lambda record: set(_WORD.findall(" ".join(_taught(record)).lower())), damage):
            counts.update(words)
        if damage and not counts:
            raise damage[0]
        kept = [word for word, count in counts.most_common(config.most) if count >= config.fewest]
        return cls(sorted(kept))

    def numbers(self, text: str, most: int) -> list[int]:
        """Numbers of the known words of a text, each once, the first `most` of them."""
        found = dict.fromkeys(self._numbers[word] for word in _WORD.findall(text.lower()) if word in self._numbers)
        return list(found)[:most]

    def labelled(self, media: CorpusMedia, index: int) -> LabelledPicture:
        """The picture of a record with its labels.

        Raises:
            CorruptRecordError: it cannot be read.
            FeatureError: labels, boxes, mask values and masks do not go together.
            UnusableRecord: it has no picture.
        """
        record, image = media.with_picture(index)
        whole = self.numbers(" ".join(_captions(record)), MOST_WHOLE)
        if "masks" not in record.facts:
            return LabelledPicture(image, whole)
        things = _things(record)
        values = record.facts["masks"].load()
        if values.shape != image.shape[:2]:
            raise FeatureError(f"{record.key}: masks of {values.shape}, expected {image.shape[:2]} as the picture")
        masks = np.zeros(values.shape, np.int64)
        for number, (_, _, value) in enumerate(things, start=1):
            masks[values == value] = number
        boxes = np.array([box for _, box, _ in things], np.float32).reshape(-1, 4)
        labels = [label for label, _, _ in things]
        names = [self.numbers(label, MOST_WORDS) for label in labels]
        return LabelledPicture(image, whole, masks, names, boxes.clip(0, np.tile(values.shape, 2)), labels)


def on_canvas(picture: LabelledPicture, canvas: Size, patch: int) -> PatchLabels:
    """The labels of a picture on the grid of patches of the canvas that it is fitted onto.

    A patch belongs to the thing that covers most of it, if that covers at least a thirty-second and its box, where it
    has an area, reaches into the patch: a mask, scaled to whole pixels of the canvas, may cross its edge by one.
    """
    fit = ImageFit.of((picture.image.shape[0], picture.image.shape[1]), canvas)
    rows, columns = canvas[0] // patch, canvas[1] // patch
    words = np.full((rows * columns, MOST_WORDS), NO_WORD, np.int64)
    corners = np.zeros((rows * columns, 4), np.float32)
    owner = np.full(rows * columns, NO_WORD, np.int64)
    shown = fit.patch_mask(patch) != 0
    if picture.masks is not None and picture.boxes is not None:
        things = np.zeros(canvas, np.int64)
        inside = slice(fit.top, fit.top + fit.content[0]), slice(fit.left, fit.left + fit.content[1])
        things[inside] = resize_nearest(picture.masks[..., None].astype(np.float32), fit.content)[..., 0]
        most = np.full(rows * columns, _LEAST * patch * patch)
        shares = fit.boxes_to_canvas(picture.boxes) / np.tile(canvas, 2)
        places = np.stack(np.divmod(np.arange(rows * columns), columns), axis=1)
        for number, (name, share) in enumerate(zip(picture.names, shares, strict=True), start=1):
            count = (things == number).reshape(rows, patch, columns, patch).sum((1, 3)).ravel()
            first, end = (share * np.tile([rows, columns], 2)).reshape(2, 2)  # in patches
            reached = ((first < places + 1) & (end > places)).all(1) | (first >= end).any()
            taken = shown & (count > most) & reached
            most = np.where(taken, count, most)
            owner[taken] = number - 1
            words[taken] = NO_WORD
            words[taken, : len(name)] = name
            corners[taken] = share
    flat = (owner != NO_WORD) & ((corners[:, :2] >= corners[:, 2:]).any(-1))
    owner[flat] = NO_WORD
    known = shown & ~flat & (picture.masks is not None)
    whole = np.full(MOST_WHOLE, NO_WORD, np.int64)
    whole[: len(picture.whole)] = picture.whole
    return PatchLabels(owner, words, corners, shown, known, whole)


def _captions(record: Record) -> list[str]:
    """Captions, and the facts that say what a picture shows."""
    return [*record.captions, *(text for name in _CAPTIONS for text in texts_of(record, name))]


def _things(record: Record) -> list[tuple[str, Sequence[float], int]]:
    """Label, box and mask value of each thing; FeatureError if they do not go together."""
    return things_of(record, "labels", "boxes", "mask_values")  # type: ignore[return-value]


def _taught(record: Record) -> list[str]:
    """The texts that a picture teaches: captions, and the names of things whose pixels are known."""
    if record.image is None and not record.views:
        return []
    names = [label for label, _, _ in _things(record)] if "masks" in record.facts else []
    return [*_captions(record), *names]

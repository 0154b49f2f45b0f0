"""Material: the parts of a record that one example uses, and the plan that says which (paper, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import UnusableRecord
from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.records.record import Record
from embodio.model.example import Image, Waveform
from embodio.model.tokens.vocabulary import Vocabulary, VocabularyError

Modality = Literal["text", "image", "audio"]
MODALITIES: tuple[Modality, ...] = ("text", "image", "audio")

MOST_EARLIER = 4
"""Frames of a video, or images of a document, before the last one (paper, appendix C.1)."""

CHARACTERS = 8
"""Characters of a text that are encoded for each token that is wanted, so that long texts are not encoded whole."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Draft:
    """What an example is to be made of; the outcome of the first three steps of the paper.

    Attributes:
        target: the modality to write.
        kept: the other parts that are given; the target's own modality stands for its earlier frames.
        denoise: whether a part of the target is given as well ([R], [X]), or none of it ([S]).
        room: how many tokens of text there is room for.
    """

    target: Modality
    kept: frozenset[Modality] = frozenset()
    denoise: bool = False
    room: int = 0

    @property
    def reads(self) -> frozenset[Modality]:
        """All modalities that are decoded, the target among them."""
        return self.kept | {self.target}


@dataclass(frozen=True, eq=False, kw_only=True)
class Material:
    """Parts of a record, decoded and cut to what the network takes; absent ones keep their defaults.

    Attributes:
        text: token ids, those that refer to images and sounds among them; the target if text is written.
        before: token ids of earlier text, given as it is.
        image: the main image; the target's own where an image is denoised.
        image_history: earlier images, oldest first.
        image_target: the image to write.
        audio: the main sound, at most a segment; the target's own where a sound is denoised.
        audio_history: earlier segments, oldest first.
        audio_target: the segment to write.
    """

    text: Sequence[int] = ()
    before: Sequence[int] = ()
    image: Image | None = None
    image_history: Sequence[Image] = ()
    image_target: Image | None = None
    audio: Waveform | None = None
    audio_history: Sequence[Waveform] = ()
    audio_target: Waveform | None = None

    @property
    def shows(self) -> bool:
        """Whether an image or a sound is given."""
        return any(one is not None for one in (self.image, self.audio)) or bool(
            self.image_history or self.audio_history
        )


class MaterialReader(Protocol):
    """A kind of record: what it offers, and how an example's material is read from it."""

    together: bool
    """Whether all parts are kept, as in documents; otherwise some are dropped at random."""

    def offers(self, record: Record) -> frozenset[Modality]:
        """The modalities that a record has, without decoding anything."""

    def earlier(self, record: Record) -> frozenset[Modality]:
        """Those of which it has earlier frames besides the last one."""

    def read(self, record: Record, plan: Draft, context: ObjectiveContext, generator: np.random.Generator) -> Material:
        """Decodes what the plan asks for.

        Raises:
            CorruptRecordError: media cannot be decoded.
            UnusableRecord: they can, but there is nothing in them.
        """


def unusable(record: Record, problem: str) -> UnusableRecord:
    """The error of a record that is intact but gives no example."""
    return UnusableRecord(record.key, 0, problem)


def history_slots(context: ObjectiveContext, modality: Modality) -> int:
    """How many earlier images or sounds of a record the network is given."""
    if f"{modality}_history" not in context.config.input_modalities:
        return 0
    return min(context.config.sampling.num_frames, MOST_EARLIER)


def one_of(items: Sequence[Item], generator: np.random.Generator) -> Item:
    """Draws one of some items, each as often; nothing is drawn if there is only one."""
    return items[0] if len(items) == 1 else items[int(generator.integers(len(items)))]


def one_by_rate(items: Sequence[Item], rates: Sequence[float], generator: np.random.Generator) -> Item:
    """Draws one of some items by their rates, numbers up to a common factor, one of them above 0."""
    ends = np.cumsum(rates)
    drawn = int(np.searchsorted(ends, generator.random() * ends[-1], side="right"))
    return items[min(drawn, len(items) - 1)]  # the product may be rounded up to the end


def text_window(record: Record, text: str, room: int, vocabulary: Vocabulary, rng: np.random.Generator) -> list[int]:
    """The token ids of a text, or of a window at a random place if it has more than `room` tokens.

    Raises:
        UnusableRecord: as `encoded`.
    """
    if room < 1:
        return []
    characters = CHARACTERS * room
    if len(text) > characters:
        start = int(rng.integers(0, len(text) - characters, endpoint=True))
        text = whole_words(text, start, start + characters)
    ids = encoded(record, text, vocabulary)
    if len(ids) <= room:
        return ids
    start = int(rng.integers(0, len(ids) - room, endpoint=True))
    return ids[start : start + room]


def whole_words(text: str, start: int, end: int) -> str:
    """The whole words of a stretch of a text; where there is no space in its first or last half, letters are cut."""
    middle = (start + end) // 2
    first = text.find(" ", start, middle) + 1 if start else 0
    last = text.rfind(" ", middle, end) if end < len(text) else end
    return text[max(first, start) : last if last > 0 else end]


def spoken_part(text: str, start: int, end: int, length: int) -> str:
    """The words of a stretch of a sound or video, as if they were spoken evenly; all of them if none are whole.

    Args:
        text: what is said in all of it.
        start: where the stretch begins, in frames or samples.
        end: where it ends.
        length: of all of it.
    """
    return whole_words(text, *(len(text) * place // length for place in (start, end))).strip() or text


def encoded(record: Record, text: str, vocabulary: Vocabulary) -> list[int]:
    """The token ids of a text; raises UnusableRecord where it has a character that cannot be encoded."""
    try:
        return vocabulary.encode(text)
    except VocabularyError as error:
        raise unusable(record, str(error)) from error


def keep_end(ids: Sequence[int], room: int, vocabulary: Vocabulary) -> list[int]:
    """The last tokens of a context that there is room for; tokens that refer to inputs stay, wherever they are."""
    array = np.asarray(ids, dtype=np.int64)
    refers = references(array, vocabulary)
    spare = max(0, room - int(refers.sum()))
    later = np.cumsum(~refers[::-1])[::-1]  # how many tokens of text there are from here on
    found: list[int] = array[refers | (later <= spare)].tolist()
    return found


def references(ids: npt.ArrayLike, vocabulary: Vocabulary) -> npt.NDArray[np.bool_]:
    """Which of some token ids refer to an image or a sound of the input, bool [L]."""
    array = np.asarray(ids, dtype=np.int64)
    found: npt.NDArray[np.bool_] = (array >= vocabulary.image_history_id(1)) & (array <= vocabulary.audio_input_id)
    return found

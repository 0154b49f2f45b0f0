"""The corpus that `embodio-data corpus` makes, or any in its layout: annotations out of the facts of its records.

One record has several items, such as a question each, a caption each or a name each; see docs/corpus.md for the facts:

    {family: answer_question, format: corpus, file: scenes/validation}
    {family: caption, format: corpus, file: openclipart/validation, reading: {text: title}}
    {family: caption, format: corpus, file: collisions/validation, reading: {text: heard, given: sound}}
    {family: transcribe, format: corpus, file: speech/validation, reading: {voices: held_out}}

All records are read once, without their media, when the file is opened; numbers of items and keys of records are held.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.annotations.parts.corpus_facts import VALUES, CorpusReading
from embodio.datasets.annotations.parts.item import AnnotatedItem, LazyItems, Omission, require_distinct
from embodio.datasets.annotations.parts.values import annotation_of
from embodio.datasets.errors import AnnotationError, DatasetError
from embodio.datasets.records.opening import open_records
from embodio.datasets.records.record import Record, RecordSource
from embodio.model.tasks.base.family import Annotation, Family

_WITH_CHOICES = ("classify", "relate", "tag")
"""Families whose answers, all those of the file, are the possible ones of each item."""
_MOST_CHOICES = 64


@dataclass(frozen=True, eq=False)
class CorpusItems(LazyItems):
    """The items of a corpus, read when they are needed; those of one record are next to each other.

    Attributes:
        source: the records.
        folder: for annotations; records bring their own media.
        family: what they are for.
        values: makes the fields of all items of a record.
        keys: of the records.
        numbers: record and place in it of each item, int64 [N, 2].
        choices: the possible answers; empty where any text is one.
        left_out: records without an item.
    """

    source: RecordSource
    folder: Path
    family: Family[Any]
    values: Callable[[Record], Sequence[Mapping[str, Any]]]
    keys: tuple[str, ...]
    numbers: npt.NDArray[np.int64]
    choices: tuple[str, ...] = ()
    left_out: tuple[Omission, ...] = ()

    def __len__(self) -> int:
        """The number of items."""
        return len(self.numbers)

    def item(self, index: int) -> AnnotatedItem:
        """An item."""
        record, place = self.numbers[index].tolist()
        key = self.keys[record]
        return AnnotatedItem(f"{key}/{place}", key, partial(self.made, record, place))

    def made(self, record: int, place: int) -> Annotation:
        """The annotation of an item; raises AnnotationError."""
        where = f"{self.source.name}, {self.keys[record]}, item {place}"
        try:
            values = self.values(self.source.record(record))[place]
            choices = {"choices": self.choices} if self.choices else {}
            return annotation_of(self.family, {**values, **choices}, self.folder, where)
        except AnnotationError:
            raise
        except DatasetError as error:
            raise AnnotationError(str(error)) from error


def read_corpus(
    file: Path,
    folder: Path,
    family: Family[Any],
    *,
    split: str = "",
    text: str = "",
    given: str = "",
    frames: int = 2,
    furthest: float = 4.0,
    voices: str = "",
    most: int = 0,
) -> CorpusItems:
    """The items of a source.

    Args:
        file: folder of a source, or of one of its splits.
        folder: not used, as records bring their own media.
        family: one of those of `corpus_facts`.
        split: such as "validation" where the file is the folder of both; "" for all.
        text: the fact that is the text, such as "title", "category" or "heard"; "" for the captions.
        given: what a text is about: "image", "sound", "video" or "video_with_sound"; "" for the first that is there.
        frames: of a video, at most one more than the network has slots for.
        furthest: metres that are drawn white; what is further away is, too.
        voices: "held_out" for what is said by held-out voices, "known" for the others; "" for all.
        most: largest number of items of a record, the first ones; 0 for all.

    Raises:
        AnnotationError: there are no such files, a setting is wrong, or there is not one item.
    """
    reading = CorpusReading(text=text, given=given, frames=frames, furthest=furthest, voices=voices, most=most)
    try:
        values = partial(_values, family.name, reading.checked())
        source = open_records(file, **({"split": split} if split else {}))
        keys, numbers, answers, empty = list[str](), list[tuple[int, int]](), dict[str, None](), list[str]()
        for index in range(len(source)):
            record = source.record(index)
            found = values(record)
            keys.append(record.key)
            numbers += [(index, place) for place in range(len(found))]
            answers |= {str(one["text"]): None for one in found if "text" in one}
            empty += [] if found else [record.key]
    except DatasetError as error:
        raise AnnotationError(f"{file}: {error}") from error
    lack = (Omission(f"it has nothing for {family.name}", len(empty), empty[0]),) if empty else ()
    closed = family.name in _WITH_CHOICES and len(answers) <= _MOST_CHOICES
    places = np.array(numbers, dtype=np.int64).reshape(-1, 2)
    items = CorpusItems(source, folder, family, values, tuple(keys), places, left_out=lack)
    require_distinct(items[:1], file)
    return replace(items, choices=tuple(sorted(answers)) if closed else ())


def _values(family: str, reading: CorpusReading, record: Record) -> Sequence[Mapping[str, Any]]:
    """The fields of all items of a record."""
    if not reading.hears(record):
        return ()
    found = VALUES[family](record, reading)
    return found[: reading.most] if reading.most else found


READ = read_corpus
FAMILIES = tuple(VALUES)

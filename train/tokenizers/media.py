"""Media and texts of a corpus: pictures or sounds of its sources by number, and lines to train text pieces on."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import (
    CorruptRecordError,
    DatasetError,
    ExampleError,
    FeatureError,
    NoSuchFiles,
    SkippedRecord,
    UnusableRecord,
)
from embodio.datasets.records.opening import open_records
from embodio.datasets.records.record import Record, RecordSource
from embodio.datasets.stream.numbered_batches import made
from embodio.datasets.tasks.parts.record_task import Place
from embodio.model.network.batch import Batch
from embodio.train.validation import HeldOutBatches

Split = Literal["train", "validation"]
Made = TypeVar("Made")


@dataclass(frozen=True)
class CorpusMedia:
    """Records of one split of several sources, one source after another.

    Attributes:
        corpus: folder of the corpus.
        names: names of the sources, sub-folders of the corpus in any format that `open_records` knows.
        split: which part of them.
    """

    corpus: Path
    names: tuple[str, ...]
    split: Split

    @cached_property
    def sources(self) -> tuple[RecordSource, ...]:
        """The sources; raises DatasetError if one is absent or has no records of this split."""
        return tuple(opened_source(self.corpus, name, self.split) for name in self.names)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the digests of all sources, in hex."""
        return hashlib.sha256("".join(source.digest for source in self.sources).encode()).hexdigest()

    @property
    def damaged(self) -> tuple[ExampleError, ...]:
        """Files that are damaged as a whole."""
        return tuple(error for source in self.sources for error in getattr(source, "damaged", ()))

    def __len__(self) -> int:
        return self._ends[-1]

    def place(self, index: int) -> Place:
        """Where record `index` comes from, for messages."""
        source, number = self._located(index)
        return source.place(number)

    def name(self, index: int) -> str:
        """The key of record `index`; raises CorruptRecordError if it cannot be read."""
        return self._record(index).key

    def picture(self, index: int) -> npt.NDArray[np.uint8]:
        """The picture of record `index`, uint8 [H, W, 3]; errors as those of `with_picture`."""
        return self.with_picture(index)[1]

    def with_picture(self, index: int) -> tuple[Record, npt.NDArray[np.uint8]]:
        """Record `index` and its picture, uint8 [H, W, 3].

        Raises:
            CorruptRecordError: it cannot be read or decoded.
            UnusableRecord: the record has none.
        """
        record = self._record(index)
        media = record.image or (record.views[0].image if record.views else None)
        if media is None:
            raise UnusableRecord(*self.place(index)[:2], "it has no picture")
        pixels: npt.NDArray[Any] = media.load()
        return record, pixels if pixels.dtype == np.uint8 else np.rint(pixels * 255.0).clip(0, 255).astype(np.uint8)

    def sound(self, index: int) -> npt.NDArray[np.float32]:
        """The sound of record `index`, mono at 16 kHz, float32 [samples]; errors as those of `picture`."""
        return self.with_sound(index)[1]

    def with_sound(self, index: int) -> tuple[Record, npt.NDArray[np.float32]]:
        """Record `index` and its sound, mono at 16 kHz, float32 [samples]; errors as those of `with_picture`."""
        record = self._record(index)
        if record.sound is None:
            raise UnusableRecord(*self.place(index)[:2], "it has no sound")
        return record, record.sound.load()

    def each(self, read: Callable[[Record], Made], damage: list[DatasetError]) -> Iterator[Made]:
        """What `read` makes of each record, without its media, but of those that training skips.

        Args:
            read: called with each record.
            damage: errors of damaged records are added here.
        """
        for source in self.sources:
            for index in range(len(source)):
                try:
                    found = read(source.record(index))
                except UnusableRecord:
                    continue
                except (CorruptRecordError, FeatureError) as error:
                    damage.append(error)
                    continue
                yield found

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(len(source) for source in self.sources))

    def _located(self, index: int) -> tuple[RecordSource, int]:
        which = bisect_right(self._ends, index)
        return self.sources[which], index - (self._ends[which - 1] if which else 0)

    def _record(self, index: int) -> Record:
        source, number = self._located(index)
        return source.record(number)


def held_out(media: CorpusMedia, count: int, load: Callable[[int], Made]) -> Iterator[tuple[int, Made | ExampleError]]:
    """Records spread evenly over a split, the same each time.

    Args:
        media: the split.
        count: records, at most.
        load: makes what is wanted of a record, by its number.

    Yields:
        The number of a record, and what `load` makes of it; the error of one that is damaged or has no such part.

    Raises:
        ExampleError: `load` fails for another reason.
    """
    for number in np.unique(np.linspace(0, len(media) - 1, min(count, len(media))).round().astype(int)).tolist():
        try:
            yield number, made(media, number, load)
        except SkippedRecord as error:
            yield number, error


def held_out_in_batches(
    media: CorpusMedia, count: int, size: int, load: Callable[[int], Made], collate: Callable[[list[Made]], Batch]
) -> HeldOutBatches:
    """Maker of the held-out batches of a split.

    Args:
        media: the split.
        count: records, at most.
        size: records in a batch, at most.
        load: as of `held_out`.
        collate: makes a batch.
    """

    def batches(on_damage: Callable[[ExampleError], None] = lambda error: None) -> Iterator[Batch]:
        waiting: list[Made] = []
        for _, found in held_out(media, count, load):
            if isinstance(found, ExampleError):
                on_damage(found)
                continue
            waiting.append(found)
            if len(waiting) == size:
                yield collate(waiting)
                waiting = []
        if waiting:
            yield collate(waiting)

    return batches


def opened_source(corpus: Path, name: str, split: Split) -> RecordSource:
    """One split of a source of a corpus; raises DatasetError if it is absent or has no records."""
    folder = corpus / name
    if not folder.is_dir():
        raise DatasetError(
            f"data: {folder} does not exist; embodio-data corpus out={corpus} makes it, or leave {name} out of sources="
        )
    try:
        source = open_records(folder, split=split)
    except NoSuchFiles as error:
        raise DatasetError(f"data: {error}; leave {name} out of sources=") from error
    if not len(source):
        raise DatasetError(f"data: {folder} has no records of the split {split!r}; leave {name} out of sources=")
    return source


def corpus_lines(corpus: Path, names: tuple[str, ...], split: Split) -> Iterator[str]:
    """Yields the lines of all texts, in the order of sources and records.

    Raises:
        DatasetError: a source is absent, or its records have no text.
        CorruptRecordError: a record cannot be read.
    """
    for name in names:
        source, count = opened_source(corpus, name, split), 0
        for index in range(len(source)):
            try:
                record = source.record(index)
            except UnusableRecord:  # beyond a limit
                continue
            for text in (record.text, *record.captions, record.transcript):
                for line in filter(None, (" ".join(one.split()) for one in text.splitlines())):
                    count += 1
                    yield line
        if not count:
            raise DatasetError(f"data: the records of {corpus / name} have no text; leave {name} out of sources=")


def sampled(lines: Iterable[str], count: int, seed: int) -> list[str]:
    """At most `count` different lines, those with the smallest hashes of (seed, line), in the order of the hashes."""
    keyed = {hashlib.blake2b(f"{seed}:{line}".encode(), digest_size=8).digest(): line for line in lines}
    return [keyed[key] for key in sorted(keyed)[:count]]

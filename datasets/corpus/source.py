"""CorpusSource: a part of the corpus, as numbered items and a pure function that makes a sample of each."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from embodio.datasets.errors import DatasetError

Split = Literal["train", "validation"]
SPLITS: tuple[Split, Split] = ("train", "validation")
_VALIDATION_PERCENT = 10


class CorpusError(DatasetError):
    """The corpus cannot be built; the message says what to do."""


class SourceAbsent(CorpusError):
    """What a source reads is not on this machine; the message names the package that brings it."""


class LeftOut(Exception):
    """An item that gives no record; the message is the reason, the same for all items of its kind."""


@dataclass(frozen=True)
class CorpusItem:
    """One item of a source, not yet made.

    Attributes:
        key: name of the record, with slashes for folders and without dots; unique in its source.
        data: what the source needs to make it; plain values that JSON can hold.
        origin: key that decides the split, so that a caption that is read aloud falls on the side of its picture; ""
            for `key` itself.
    """

    key: str
    data: Mapping[str, Any]
    origin: str = ""

    @property
    def split(self) -> Split:
        """Its side of the split."""
        return split_of(self.origin or self.key)


@dataclass(frozen=True)
class CorpusRequest:
    """What is asked of every source.

    Attributes:
        seed: of everything that is drawn at random.
        limit: the most items of a source; None takes all, and of what is generated the source's own number.
    """

    seed: int
    limit: int | None = None


@dataclass(frozen=True)
class CorpusPlan:
    """The items of a source, and what it leaves out.

    Attributes:
        items: in the order in which they are written.
        left_out: reason -> number of files, or of other things, that give no item.
        notes: sentences about what was found, for the user and the manifest.
        may_crash: whether the items are made by a simulator or a renderer, which may kill the process; they are then
            made in worker processes only.
    """

    items: Sequence[CorpusItem]
    left_out: Counter[str] = field(default_factory=Counter)
    notes: tuple[str, ...] = ()
    may_crash: bool = False


class CorpusSource(Protocol):
    """One source; a module of `embodio.datasets.corpus.sources` has one as `SOURCE`."""

    @property
    def title(self) -> str:
        """One line that says what it holds."""

    @property
    def licence(self) -> str:
        """Of its content."""

    @property
    def ships(self) -> bool:
        """Whether weights that ship with the package may be trained on it."""

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages that bring it."""

    @property
    def layout(self) -> Literal["webdataset", "jsonl"]:
        """Tar shards of media, or lines of text."""

    @property
    def shard_records(self) -> int:
        """Items in a shard."""

    @property
    def version(self) -> int:
        """Counted up when the same items give other records."""

    def plan(self, request: CorpusRequest) -> CorpusPlan:
        """Lists the items.

        Raises:
            SourceAbsent: what it reads is not on this machine.
        """

    def make(self, item: CorpusItem, seed: int) -> Mapping[str, bytes | str]:
        """Makes one sample; a pure function of its arguments and the files on this machine.

        Returns:
            Member -> content: "jpg", "txt", "json" and so on; for jsonl, fields of the line, "text" among them.

        Raises:
            LeftOut: the item gives no record.
        """


def split_of(key: str) -> Split:
    """The side of a key: a tenth of all keys, chosen by their SHA-256, are for validation."""
    return "validation" if _digest("split", key) % 100 < _VALIDATION_PERCENT else "train"


def shuffled(items: Iterable[CorpusItem], limit: int | None) -> list[CorpusItem]:
    """Items in the order of the SHA-256 of their keys, so that a few of them are a fair sample of all."""
    return sorted(items, key=lambda item: (_digest("order", item.key), item.key))[:limit]


def generator_of(seed: int, key: str) -> np.random.Generator:
    """The generator of one item."""
    return np.random.default_rng([seed, _digest("draw", key)])


def _digest(purpose: str, key: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{purpose}:{key}".encode()).digest()[:8], "big")

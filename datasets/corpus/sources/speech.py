"""Speech by espeak-ng: glosses, captions and instructions read aloud in many voices, with transcripts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Literal, NamedTuple

from embodio.datasets.corpus.encoding import facts, flac
from embodio.datasets.corpus.sentences import description, instruction
from embodio.datasets.corpus.source import (
    CorpusItem,
    CorpusPlan,
    CorpusRequest,
    LeftOut,
    SourceAbsent,
    Split,
    generator_of,
    shuffled,
    split_of,
)
from embodio.datasets.corpus.sources.openclipart import SOURCE as CLIPART
from embodio.datasets.corpus.sources.openclipart import OpenClipart
from embodio.datasets.corpus.sources.wordnet import SOURCE as WORDNET
from embodio.datasets.corpus.sources.wordnet import WordNet, glosses
from embodio.datasets.corpus.voices import SpeechError, read_aloud, require_installed, voice_for

_SHARES = {"gloss": 4, "caption": 2, "instruction": 2, "description": 2}  # of ten sentences
_LENGTH = (8, 60)  # characters; the longest take about four seconds, as much as one segment of sound holds
_SPEAKABLE = re.compile(r"[A-Za-z][A-Za-z ,;:'?!.-]+")


@dataclass(frozen=True)
class Speech:
    """Sentences of other sources, and of a grammar, read aloud.

    Attributes:
        wordnet: gives glosses, where it is installed.
        clipart: gives captions, where it is installed.
        count: sentences, unless `limit` says otherwise.
    """

    wordnet: WordNet = WORDNET
    clipart: OpenClipart = CLIPART
    count: int = 8000
    title: str = "sentences read aloud by espeak-ng, with transcripts"
    licence: str = "synthesised; texts as WordNet and openclipart, and our own"
    ships: bool = True
    packages: tuple[str, ...] = ("espeak-ng", "wordnet-base", "openclipart-svg")
    layout: Literal["webdataset", "jsonl"] = "webdataset"
    shard_records: int = 500
    version: int = 2

    def plan(self, request: CorpusRequest) -> CorpusPlan:
        """Chooses the sentences; raises SourceAbsent if espeak-ng is not installed."""
        require_installed()
        count, notes = request.limit or self.count, list[str]()
        found = dict[str, list[_Texts]]()
        for kind, name, read in (("gloss", "glosses", self._glosses), ("caption", "captions", self._captions)):
            try:
                found[kind] = list(read(request.seed))
            except SourceAbsent as reason:
                notes.append(f"no {name}: {reason}")
        sides, left_out = _sides(found.values()), Counter[str]()
        pools = {kind: iter(_chosen(kind, rows, sides, request.seed, left_out)) for kind, rows in found.items()}
        pools |= {kind: _made(kind, request.seed, sides) for kind in ("instruction", "description")}
        order = [kind for kind in _SHARES for _ in range(_SHARES[kind]) if kind in pools]
        items, heard = list[CorpusItem](), set[str]()
        while len(items) < count and order:
            for kind in list(dict.fromkeys(order)):
                wanted = order.count(kind)
                taken = list(islice((one for one in pools[kind] if _is_new(one, heard)), wanted))
                items += taken
                if len(taken) < wanted:
                    order = [other for other in order if other != kind]
        return CorpusPlan(items[:count], left_out, tuple(notes))

    def make(self, item: CorpusItem, seed: int) -> Mapping[str, bytes | str]:
        """The sound and its transcript; half of the validation side is read by held-out voices."""
        generator = generator_of(seed, item.key)
        voice, loudness = voice_for(item, generator), float(generator.uniform(0.3, 0.9))
        try:
            sound = read_aloud(item.data["text"], voice, loudness)
        except SpeechError as error:
            raise LeftOut("sentences that espeak-ng does not read") from error
        row = {
            "transcript": item.data["text"],
            "kind": item.key.partition("/")[0],
            **voice.facts,
        }
        return {"flac": flac(sound), "json": facts(row)}

    def _glosses(self, seed: int) -> Iterator[_Texts]:
        for gloss in glosses(self.wordnet.folder):
            texts = (f"{gloss.words[0]}: {gloss.meaning}", gloss.meaning, *gloss.sentences)
            yield _Texts(gloss.key, texts)

    def _captions(self, seed: int) -> Iterator[_Texts]:
        for picture in self.clipart.plan(CorpusRequest(seed)).items:
            yield _Texts(picture.key, tuple(self.clipart.captions(picture, seed)))


class _Texts(NamedTuple):
    """The key of a record of another source, and the texts in it."""

    key: str
    texts: tuple[str, ...]


def _sides(rows: Iterable[Sequence[_Texts]]) -> dict[str, set[Split]]:
    """The sides of the split on which each sentence is written."""
    found = dict[str, set[Split]]()
    for row in chain.from_iterable(rows):
        for text in row.texts:
            found.setdefault(_words(text), set()).add(split_of(row.key))
    return found


def _chosen(
    kind: str, rows: Sequence[_Texts], sides: Mapping[str, set[Split]], seed: int, left_out: Counter[str]
) -> list[CorpusItem]:
    """One sentence of each record, on the record's side; those that are written on both sides are never read aloud."""
    items = []
    for row in rows:
        texts = [text for text in row.texts if _is_speakable(text)]
        apart = [text for text in texts if len(sides[_words(text)]) == 1]
        if apart:
            text = apart[int(generator_of(seed, f"spoken {row.key}").integers(len(apart)))]
            items.append(CorpusItem(f"{kind}/{row.key}", {"text": text}, row.key))
        elif texts:
            left_out[f"{kind} records whose sentences are in training and in validation"] += 1
    return shuffled(items, None)


def _made(kind: str, seed: int, sides: Mapping[str, set[Split]]) -> Iterator[CorpusItem]:
    """Different sentences of the grammar that no other source has, until it is hard to find new ones."""
    generator = generator_of(seed, f"sentences of the kind {kind}")
    make = instruction if kind == "instruction" else description
    seen: set[str] = set()
    misses = 0
    while misses < 100:
        text = make(generator)
        misses = misses + 1 if text in seen else 0
        if text not in seen:
            seen.add(text)
            if _words(text) not in sides:
                yield CorpusItem(f"{kind}/{len(seen):06d}", {"text": text}, text)


def _is_new(item: CorpusItem, heard: set[str]) -> bool:
    """Whether a sentence is none of those heard, to which it is then added."""
    words = _words(item.data["text"])
    is_new = words not in heard
    heard.add(words)
    return is_new


def _words(text: str) -> str:
    """What is heard of a sentence: its words, without capitals and marks."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def _is_speakable(text: str) -> bool:
    return _LENGTH[0] <= len(text) <= _LENGTH[1] and _SPEAKABLE.fullmatch(text) is not None


SOURCE = Speech()

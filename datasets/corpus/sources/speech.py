"""Speech by espeak-ng: glosses, captions and instructions read aloud in many voices, with transcripts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np

from embodio.datasets.corpus.encoding import facts, flac
from embodio.datasets.corpus.sentences import description, instruction
from embodio.datasets.corpus.source import (
    CorpusItem,
    CorpusPlan,
    CorpusRequest,
    LeftOut,
    SourceAbsent,
    generator_of,
    shuffled,
)
from embodio.datasets.corpus.sources.openclipart import SOURCE as CLIPART
from embodio.datasets.corpus.sources.openclipart import OpenClipart
from embodio.datasets.corpus.sources.wordnet import SOURCE as WORDNET
from embodio.datasets.corpus.sources.wordnet import WordNet, glosses
from embodio.datasets.corpus.voices import SpeechError, is_installed, read_aloud, voice_for

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
    version: int = 1

    def plan(self, request: CorpusRequest) -> CorpusPlan:
        """Chooses the sentences; raises SourceAbsent if espeak-ng is not installed."""
        if not is_installed():
            raise SourceAbsent("the program espeak-ng is not there; the Debian package espeak-ng brings it")
        count, notes = request.limit or self.count, []
        pools: dict[str, Iterator[CorpusItem]] = {
            "instruction": _made("instruction", request.seed),
            "description": _made("description", request.seed),
        }
        try:
            pools["gloss"] = iter(self._glosses(request.seed))
        except SourceAbsent as reason:
            notes.append(f"no glosses: {reason}")
        try:
            pools["caption"] = iter(self._captions(request.seed))
        except SourceAbsent as reason:
            notes.append(f"no captions: {reason}")
        order = [kind for kind in _SHARES for _ in range(_SHARES[kind]) if kind in pools]
        items: list[CorpusItem] = []
        while len(items) < count and order:
            for kind in list(dict.fromkeys(order)):
                taken = list(islice(pools[kind], order.count(kind)))
                items += taken
                if len(taken) < order.count(kind):
                    order = [other for other in order if other != kind]
        return CorpusPlan(items[:count], notes=tuple(notes))

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
            "voice": f"{voice.accent}+{voice.speaker}",
            "voice_held_out": voice.is_held_out,
            "speed": voice.speed,
            "pitch": voice.pitch,
        }
        return {"flac": flac(sound), "json": facts(row)}

    def _glosses(self, seed: int) -> list[CorpusItem]:
        found = []
        for gloss in glosses(self.wordnet.folder):
            texts = [f"{gloss.words[0]}: {gloss.meaning}", gloss.meaning, *gloss.sentences]
            texts = [text for text in texts if _is_speakable(text)]
            if texts:
                text = texts[int(generator_of(seed, f"spoken {gloss.key}").integers(len(texts)))]
                found.append(CorpusItem(f"gloss/{gloss.key}", {"text": text}, gloss.key))
        return shuffled(found, None)

    def _captions(self, seed: int) -> list[CorpusItem]:
        found: dict[str, CorpusItem] = {}  # by text, because collections repeat their captions
        for picture in self.clipart.plan(CorpusRequest(seed)).items:
            texts = [text for text in self.clipart.captions(picture, seed) if _is_speakable(text)]
            if texts:
                text = texts[int(generator_of(seed, f"spoken {picture.key}").integers(len(texts)))]
                found.setdefault(text, CorpusItem(f"caption/{picture.key}", {"text": text}, picture.key))
        return list(found.values())


def _made(kind: str, seed: int) -> Iterator[CorpusItem]:
    """Different sentences of the grammar, until it is hard to find new ones."""
    generator = np.random.default_rng([seed, len(kind)])
    make = instruction if kind == "instruction" else description
    seen: set[str] = set()
    misses = 0
    while misses < 100:
        text = make(generator)
        misses = misses + 1 if text in seen else 0
        if text not in seen:
            seen.add(text)
            yield CorpusItem(f"{kind}/{len(seen):06d}", {"text": text}, text)


def _is_speakable(text: str) -> bool:
    return _LENGTH[0] <= len(text) <= _LENGTH[1] and _SPEAKABLE.fullmatch(text) is not None


SOURCE = Speech()

"""The glosses of WordNet: words, what they mean, and sentences that use them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from embodio.datasets.corpus.source import (
    CorpusItem,
    CorpusPlan,
    CorpusRequest,
    SourceAbsent,
    generator_of,
    shuffled,
)

FOLDER = Path("/usr/share/wordnet")
KINDS = {"noun": "noun", "verb": "verb", "adj": "adjective", "adv": "adverb"}
_ARTICLE = {"noun": "a noun", "verb": "a verb", "adj": "an adjective", "adv": "an adverb"}
_MARK = re.compile(r"\((?:a|p|ip)\)$")  # where an adjective may stand in a sentence


@dataclass(frozen=True)
class Gloss:
    """One meaning.

    Attributes:
        key: such as "noun-02084071".
        kind: a key of `KINDS`.
        words: that have this meaning, the most frequent first.
        meaning: in words.
        sentences: that use one of the words.
    """

    key: str
    kind: str
    words: tuple[str, ...]
    meaning: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class WordNet:
    """The glosses of all parts of speech.

    Attributes:
        folder: with the files data.noun, data.verb, data.adj and data.adv.
    """

    folder: Path = FOLDER
    title: str = "words, their meanings and sentences that use them"
    licence: str = "WordNet 3.0 licence (permissive, by Princeton University)"
    ships: bool = True
    packages: tuple[str, ...] = ("wordnet-base",)
    layout: Literal["webdataset", "jsonl"] = "jsonl"
    shard_records: int = 5000
    version: int = 1

    def plan(self, request: CorpusRequest) -> CorpusPlan:
        """Lists the meanings; raises SourceAbsent if the package is not installed."""
        items = [
            CorpusItem(gloss.key, {"words": gloss.words, "meaning": gloss.meaning, "sentences": gloss.sentences})
            for gloss in glosses(self.folder)
        ]
        return CorpusPlan(shuffled(items, request.limit))

    def make(self, item: CorpusItem, seed: int) -> Mapping[str, bytes | str]:
        """One paragraph of plain text."""
        return {"text": paragraph(item.key.partition("-")[0], item.data, seed, item.key)}


def glosses(folder: Path) -> Iterator[Gloss]:
    """The meanings in the order of the files; raises SourceAbsent if the files are not there."""
    for kind in KINDS:
        try:
            text = (folder / f"data.{kind}").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError as error:
            raise SourceAbsent(f"{error.filename} is not there; the Debian package wordnet-base brings it") from error
        for line in text.splitlines():
            if gloss := parse_gloss(line, kind):
                yield gloss


def parse_gloss(line: str, kind: str) -> Gloss | None:
    """One line of a data file (wndb(5WN)); None for the lines of the licence and damaged ones.

    Such a line is `offset file type count word id word id ... | meaning; "sentence"; "sentence"`, `count` in hex.
    """
    head, bar, tail = line.partition(" | ")
    fields = head.split(" ")
    if line.startswith(" ") or not bar or len(fields) < 6 or not fields[0].isdigit():
        return None
    try:
        count = int(fields[3], 16)
    except ValueError:
        return None
    words = tuple(_MARK.sub("", word).replace("_", " ") for word in fields[4 : 4 + 2 * count : 2])
    sentences = tuple(" ".join(found.split()) for found in re.findall(r'"([^"]+)"', tail))
    meaning = re.sub(r'[;:,]?\s*"[^"]+"[^;"]*', "", tail).strip(" ;:,")
    return (
        Gloss(f"{kind}-{fields[0]}", kind, words, " ".join(meaning.split()), sentences) if words and meaning else None
    )


def paragraph(kind: str, data: Mapping[str, Any], seed: int, key: str) -> str:
    """Words, meaning and sentences in one of several wordings."""
    words, meaning, sentences = data["words"], data["meaning"], data["sentences"]
    first, others = words[0], list(words[1:])
    also = f" (also {', '.join(others)})" if others else ""
    forms = (
        f"{first}{also}: {meaning}.",
        f"{', '.join(words)} ({KINDS[kind]}): {meaning}.",
        f'The word "{first}"{also} is {_ARTICLE[kind]}. It means: {meaning}.',
        f'What does "{first}" mean? {meaning[0].upper()}{meaning[1:]}.'
        + (f" Other words: {', '.join(others)}." * bool(others)),
    )
    text = forms[int(generator_of(seed, key).integers(len(forms)))]
    if sentences:
        example = " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in sentences)
        text += f" For example: {example.replace('!.', '!').replace('?.', '?')}"
    return text


SOURCE = WordNet()

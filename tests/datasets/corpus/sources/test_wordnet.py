"""WordNet: its data files as glosses, and glosses as text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.datasets.corpus.source import CorpusRequest, SourceAbsent
from embodio.datasets.corpus.sources.wordnet import KINDS, Gloss, WordNet, glosses, parse_gloss
from tests.support.datasets.debian_files import write_wordnet

LETTERS = "abcdefghijklmnopqrstuvwxyzéß'-"
WORDS = st.lists(st.text(LETTERS, min_size=1, max_size=8), min_size=1, max_size=3).map(" ".join)
SENTENCES = st.lists(WORDS.map(lambda text: f"{text} it is"), max_size=3)


@given(
    words=st.lists(WORDS, min_size=1, max_size=20),
    meaning=st.lists(WORDS, min_size=1, max_size=3).map("; ".join),
    sentences=SENTENCES,
    kind=st.sampled_from(sorted(KINDS)),
    number=st.integers(0, 99_999_999),
)
def test_a_line_is_read_as_it_was_written(
    words: list[str], meaning: str, sentences: list[str], kind: str, number: int
) -> None:
    listed = " ".join(f"{word.replace(' ', '_')} 0" for word in words)
    quoted = "".join(f'; "{sentence}"' for sentence in sentences)
    line = f"{number:08d} 03 n {len(words):02x} {listed} 001 @ 00001740 n 0000 | {meaning}{quoted}  "
    expected = Gloss(f"{kind}-{number:08d}", kind, tuple(words), meaning, tuple(sentences))
    assert parse_gloss(line, kind) == expected


@given(st.text(max_size=80))
def test_any_line_is_read_or_left_out(line: str) -> None:
    found = parse_gloss(line, "noun")
    assert found is None or (found.words and found.meaning)


def test_the_files_of_all_kinds(tmp_path: Path) -> None:
    found = {gloss.key: gloss for gloss in glosses(write_wordnet(tmp_path))}
    assert found["noun-02084071"].words == ("dog", "domestic dog", "Canis familiaris")
    assert found["verb-00001740"].sentences == ("Breathe!",)
    assert found["adj-00001740"].words == ("able", "fit")
    assert len(found) == 5


def test_text(tmp_path: Path) -> None:
    source = WordNet(write_wordnet(tmp_path))
    plan = source.plan(CorpusRequest(0))
    texts = {item.key: str(source.make(item, 0)["text"]) for item in plan.items}
    assert all(word in texts["noun-02084071"] for word in ("dog", "domestic dog", ["a", "tame", "wolf"][-1]))
    assert texts["verb-00001740"].endswith("For example: Breathe!")
    assert source.make(plan.items[0], 0) == source.make(plan.items[0], 0)
    wordings = {str(source.make(plan.items[0], seed)["text"]) for seed in range(40)}
    assert len(wordings) == 4


def test_the_missing_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceAbsent, match="wordnet-base"):
        WordNet(tmp_path).plan(CorpusRequest(0))

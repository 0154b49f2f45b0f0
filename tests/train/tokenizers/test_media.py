"""Text of a corpus: every kind of file, an even draw, and a vocabulary that is trained on it by one command."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest

from embodio.datasets.errors import CorruptRecordError, DatasetError
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.train.main import main
from embodio.train.tokenizers.media import corpus_lines, sampled
from tests.support.train.media_corpus import write_shard


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for split in ("train", "validation"):
        folder = tmp_path / "corpus" / "words" / split
        folder.mkdir(parents=True)
        text = "".join(json.dumps({"text": f"the {n}th  word of {split}\n"}) + "\n" for n in range(40))
        (folder / "00000.jsonl").write_text(text)
        (folder / "00001.jsonl.gz").write_bytes(gzip.compress(b'{"text": "packed"}\n'))
        spoken = json.dumps({"transcript": "said aloud"}).encode()
        members = {"a.txt": b"first caption\n\nsecond\n", "b.json": spoken, "c.json": b"{}"}
        write_shard(tmp_path / "corpus" / "drawings" / split / "00000.tar", members)
    return tmp_path / "corpus"


def test_text_captions_and_transcripts_are_given_line_by_line(data: Path) -> None:
    words = list(corpus_lines(data, ("words",), "train"))
    assert len(words) == 41 and words[3] == "the 3th word of train" and words[-1] == "packed"
    assert list(corpus_lines(data, ("drawings",), "train")) == ["first caption", "second", "said aloud"]


def test_absent_and_damaged_text_is_told(data: Path) -> None:
    with pytest.raises(DatasetError, match="nothing"):
        list(corpus_lines(data, ("nothing",), "train"))
    path = data / "words" / "train" / "00000.jsonl"
    path.write_bytes(path.read_bytes() + b'{"text": "\xff"}\n')
    with pytest.raises(CorruptRecordError):
        list(corpus_lines(data, ("words",), "train"))


def test_a_draw_depends_on_lines_and_seed_alone() -> None:
    lines = [f"line {number}" for number in range(100)]
    drawn = sampled(iter(lines), 10, seed=3)
    assert drawn == sampled(iter([*lines[::-1], *lines]), 10, seed=3)
    assert len(set(drawn)) == 10 and drawn != sampled(iter(lines), 10, seed=4)


def test_the_command_writes_a_vocabulary_of_the_wanted_size(data: Path, tmp_path: Path) -> None:
    arguments = [f"data={data}", "sources=[words,drawings]", f"out={tmp_path / 'out'}", "pieces=420", "sentences=300"]
    assert main(["experiment=tokenizer/text", *arguments]) == 0
    vocabulary = Vocabulary.from_file(tmp_path / "out" / "vocabulary.model")
    assert vocabulary.text_size == 420
    shutil.rmtree(data / "words" / "validation")
    assert main(["experiment=tokenizer/text", *arguments[:2], f"out={tmp_path / 'none'}", *arguments[3:]]) == 1
    assert not (tmp_path / "none" / "vocabulary.model").exists(), "what cannot be measured is not written"
    assert vocabulary.decode(vocabulary.encode("lift the caption ☃")) == "lift the caption ☃"

"""`embodio-data visualise objective=...`: a page for every record that suits, and clear words where none does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from embodio.model.tokens.vocabulary import Vocabulary
from embodio.train.commands.data.data import main


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    file = tmp_path / "words.jsonl"
    texts = ["the quick brown fox jumps over the lazy dog", "a cup is a small vessel <i>", "time and again we met"]
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return file


def test_a_page_shows_what_an_objective_makes(corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "page.html"
    assert main(["visualise", str(corpus), "objective=denoise_text", "count=2", f"out={out}"]) == 0
    page = out.read_text()
    assert page.count("The encoder sees") == 2 and 'class="prefix"' in page and "<i>" not in page
    assert "2 examples of 2 records" in " ".join(capfd.readouterr().err.split())
    first = out.read_bytes()
    assert main(["visualise", str(corpus), "objective=denoise_text", "count=2", f"out={out}"]) == 0
    assert out.read_bytes() == first, "the same seed draws the same"
    assert main(["visualise", str(corpus), "objective=denoise_text", "seed=1", "count=2", f"out={out}"]) == 0
    assert out.read_bytes() != first


def test_the_vocabulary_is_named_as_for_training(corpus: Path, tmp_path: Path) -> None:
    own, pages = tmp_path / "own.model", []
    own.write_bytes(Vocabulary.nano().to_bytes())
    for vocabulary in ("", "text-nano", str(own)):
        out = tmp_path / "page.html"
        arguments = ["objective=denoise_text", "count=3", f"vocabulary={vocabulary}", f"out={out}"]
        assert main(["visualise", str(corpus), *arguments]) == 0
        pages.append(out.read_text())
    assert pages[1] == pages[2] != pages[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["objective=denoise_texts"], "did you mean 'denoise_text'"),
        (["objective=camera_motion"], "none of 3 records suits camera_motion"),
        (["objective=denoise_text", "episodes=[7]"], "records 0 to 2"),
        (["objective=denoise_text", "vocabulary=text-nan"], "text-nano ships"),
    ],
)
def test_what_cannot_be_shown_is_said(
    arguments: list[str], message: str, corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["visualise", str(corpus), *arguments, f"out={tmp_path / 'x.html'}"]) != 0
    assert message in " ".join(capfd.readouterr().err.split())
    assert not (tmp_path / "x.html").exists()

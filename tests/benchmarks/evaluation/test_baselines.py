"""Baselines: what is most often right in training, and the labels of the nearest training pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from embodio.agent.checkpoint import VOCABULARY
from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.evaluation.baselines import Nearest, most_frequent, nearest
from embodio.datasets.records.opening import open_records
from embodio.model import ModelConfig, UnifiedIO2, Vocabulary
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.families.answer_question import Question
from embodio.model.tasks.families.classify import Category
from embodio.model.weights.weights import save_weights
from tests.support.datasets.tiny_corpus import write_tiny_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_corpus(tmp_path_factory.mktemp("corpus"), ("train",))


def test_the_most_frequent_answer(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBODIO_DATA", str(corpus))
    model, seen = most_frequent(), InputMedia(image=np.zeros((8, 8, 3), np.uint8))
    questions = ("how many boxes are there?", "is there a cup?", "what colour is the cube?", "why?")
    asked = [Question(media=seen, question=one) for one in questions]
    assert [one.text for one in model.run("answer_question", asked, seeds=[0] * 4)] == ["two", "no", "white", "no"]
    with pytest.raises(BenchmarkError, match="depth: frequent answers are known of answer_question, relate, classify"):
        model.run("depth", [], seeds=[])
    monkeypatch.delenv("EMBODIO_DATA")
    with pytest.raises(BenchmarkError, match="EMBODIO_DATA: got ''; set it to the folder"):
        nearest()


def test_a_known_picture_is_its_own_neighbour(corpus: Path, tmp_path: Path) -> None:
    vocabulary = Vocabulary.default()
    save_weights(UnifiedIO2(ModelConfig.named("nano", vocab_size=vocabulary.padded_size)), tmp_path)
    (tmp_path / VOCABULARY).write_bytes(vocabulary.to_bytes())
    model, source = Nearest(corpus, tmp_path), open_records(corpus / "openclipart" / "train")
    pictures = [source.record(index).image for index in range(2)]
    asked = [Category(media=InputMedia(image=one.load())) for one in pictures if one is not None]
    assert {one.text for one in model.run("caption", asked, seeds=[0, 1])} == {"a heart"}
    alike = model._features([one.media.image for one in asked]) @ model._known.T
    assert np.diag(alike) == pytest.approx(1, abs=1e-5) and alike[0, 1] < 1 - 1e-6
    with pytest.raises(BenchmarkError, match="refer: neighbours have caption, classify"):
        model.run("refer", [], seeds=[])

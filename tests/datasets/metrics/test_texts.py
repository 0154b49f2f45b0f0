"""Metrics of texts: by their definitions, equal to public implementations, and the same for hand-worked cases."""

from __future__ import annotations

import random

import numpy as np
import pytest

from embodio.datasets.metrics import named_metric, tally
from embodio.datasets.metrics.parts.metric import MetricError
from embodio.datasets.metrics.parts.tally import Tally
from embodio.datasets.metrics.parts.words import caption_tokens, common_length, edit_distance
from embodio.datasets.metrics.vqa_accuracy import normalised
from embodio.datasets.metrics.wer import spoken
from embodio.model.tasks.base.text_family import TextItem
from embodio.model.tasks.errors import AnswerError

_PHRASES = "a the red blue cat dog on mat runs sits two cups with it's don't near old man's car , . ! 3.5 can't"
WORDS = _PHRASES.split()
UNREADABLE = AnswerError("not a text", "<?>")


def sentences(seed: int, count: int = 25) -> list[tuple[str, tuple[str, ...]]]:
    """Captions, each a reference with some words replaced, and their references."""
    draw = random.Random(seed)
    found = []
    for _ in range(count):
        right = [draw.choices(WORDS, k=draw.randint(4, 14)) for _ in range(draw.randint(1, 5))]
        own = list(right[0])
        for _ in range(draw.randint(0, 5)):
            own[draw.randrange(len(own))] = draw.choice(WORDS)
        found.append((" ".join(own), tuple(" ".join(one) for one in right)))
    return found


def tallied(name: str, pairs: list[tuple[str, tuple[str, ...]]]) -> Tally[TextItem]:
    scores: Tally[TextItem] = tally(name)
    for own, right in pairs:
        scores.update(TextItem(text=own), TextItem(text=right[0], references=right))
    return scores


def value(name: str, pairs: list[tuple[str, tuple[str, ...]]], figure: str = "") -> float:
    return tallied(name, pairs).result(resamples=2).estimates[figure or name].value


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("A man's dog, isn't it?", ["a", "man", "'s", "dog", "is", "n't", "it"]),
        ("Two black-and-white cats -- one sleeps...", ["two", "black-and-white", "cats", "one", "sleeps"]),
        ("It cost $5.00 in the U.S. (really).", ["it", "cost", "$", "5.00", "in", "the", "u.s.", "really"]),
        ("You cannot go; they'll stay.", ["you", "can", "not", "go", "they", "'ll", "stay"]),
    ],
)
def test_captions_are_cut_as_by_the_penn_treebank(text: str, tokens: list[str]) -> None:
    assert caption_tokens(text) == tokens


def test_sequences_are_compared() -> None:
    assert edit_distance(["the", "cat", "sat"], ["a", "cat", "sat", "down"]) == 2
    assert edit_distance([], ["a", "b"]) == 2
    assert common_length(["a", "b", "c", "d"], ["b", "x", "d"]) == 2


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("A crown.", "crown"),
        ("the Two dogs", "2 dogs"),
        ("none", "0"),
        ("isnt", "isn't"),
        ("couldntve couldnt've", "couldntve couldn't've"),
        ("1,000", "1000"),
        ("3.5", "3.5"),
        ("blue-green", "blue green"),
        ("red, white", "red white"),
        ("yes!\n", "yes"),
        ("u.s.", "us"),
    ],
)
def test_answers_are_normalised_as_in_the_vqa_challenge(given: str, found: str) -> None:
    assert normalised(given) == found


def test_the_vqa_rule() -> None:
    """Three of ten annotators: one is left out in turn, so three times 2/3 and seven times 1."""
    right = ("red",) * 3 + ("blue",) * 6 + ("green",)
    assert value("vqa_accuracy", [("Red.", right)]) == pytest.approx((3 * 2 / 3 + 7) / 10)
    assert value("vqa_accuracy", [("red", right)], "grit_vqa") == 1.0
    assert value("vqa_accuracy", [("green", right)]) == pytest.approx(9 / 10 / 3)
    assert value("vqa_accuracy", [("green", right)], "grit_vqa") == pytest.approx(1 / 3)
    assert value("vqa_accuracy", [("cup", ("a cup",)), ("mug", ("cup",))]) == 0.5


def test_an_exact_match_ignores_case_and_spaces_only() -> None:
    assert value("exact_match", [(" Red  Cup", ("red cup", "mug")), ("cups", ("cup",))]) == 0.5


def test_hand_worked_cases_of_captions() -> None:
    same = [
        ("a cat sits on a mat", ("a cat sits on a mat",)),
        ("two dogs run in the sun", ("two dogs run in the sun",)),
    ]
    assert value("bleu", same, "bleu_4") == pytest.approx(1.0)
    assert value("rouge_l", same) == 1.0
    assert value("cider_d", same) == pytest.approx(10.0)
    one = [("a cat on the mat", ("the cat on a mat",))]
    assert value("bleu", one, "bleu_1") == pytest.approx(1.0)
    assert value("bleu", one, "bleu_2") == pytest.approx((1.0 * 1 / 4) ** 0.5, abs=1e-6)
    assert value("rouge_l", one) == pytest.approx(3 / 5)


def test_captions_are_judged_as_by_pycocoevalcap() -> None:
    pytest.importorskip("pycocoevalcap", reason="compares with a package of the dev extra")
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    pairs = sentences(3)
    right = {row: [" ".join(caption_tokens(one)) for one in many] for row, (_, many) in enumerate(pairs)}
    own = {row: [" ".join(caption_tokens(one))] for row, (one, _) in enumerate(pairs)}
    for name, (mean, each) in {
        "cider_d": Cider().compute_score(right, own),
        "rouge_l": Rouge().compute_score(right, own),
    }.items():
        assert value(name, pairs) == pytest.approx(mean, abs=1e-6)
        np.testing.assert_allclose(tallied(name, pairs).scores(), each, atol=1e-6)
    wanted, _ = Bleu(4).compute_score(right, own, verbose=0)
    assert [value("bleu", pairs, f"bleu_{size}") for size in range(1, 5)] == pytest.approx(wanted, abs=1e-6)


def test_golden_values_of_pycocoevalcap() -> None:
    """Values of pycocoevalcap 1.2 for these sentences."""
    pairs = sentences(7)
    found = [value("cider_d", pairs), value("rouge_l", pairs), value("bleu", pairs, "bleu_4")]
    assert found == pytest.approx([2.2953886183378445, 0.7556102779183352, 0.6122903051305202], abs=1e-6)


def test_word_errors_by_hand() -> None:
    pairs = [("the cat sat", ("The cat sat down.",)), ("hello", ("hello",))]
    assert value("wer", pairs) == pytest.approx(1 / 5)
    assert value("wer", pairs, "cer") == pytest.approx(5 / 21)


def test_word_errors_are_those_of_jiwer() -> None:
    jiwer = pytest.importorskip("jiwer", reason="compares with a package of the dev extra")
    pairs = [(own, right[:1]) for own, right in sentences(4)]
    right, own = [spoken(many[0]) for _, many in pairs], [spoken(one) for one, _ in pairs]
    assert value("wer", pairs) == pytest.approx(jiwer.wer(right, own), abs=1e-6)
    assert value("wer", pairs, "cer") == pytest.approx(jiwer.cer(right, own), abs=1e-6)


@pytest.mark.parametrize("name", ["exact_match", "vqa_accuracy", "cider_d", "bleu", "rouge_l", "wer"])
def test_an_unreadable_text_is_wrong(name: str) -> None:
    scores: Tally[TextItem] = tally(name)
    scores.update(UNREADABLE, TextItem(text="a cup", references=("a cup",)))
    found = scores.result()
    assert found.unreadable == 1
    worst = 0.0 if named_metric(name).figures[next(iter(found.estimates))] == "higher" else 1.0
    assert next(iter(found.estimates.values())).value == pytest.approx(worst, abs=1e-3)


@pytest.mark.parametrize("name", ["exact_match", "vqa_accuracy", "cider_d", "bleu", "rouge_l", "wer"])
def test_an_annotation_without_an_answer_is_an_error(name: str) -> None:
    with pytest.raises(MetricError, match=r"TextItem.text is not set"):
        tally(name).update(TextItem(text="cup"), TextItem())


def test_mean_recall_counts_rare_answers_as_much() -> None:
    """Three of four "on" are right and none of one "under": (3/4 + 0) / 2."""
    scores = tally("mean_recall")
    for found in ("on", "On", "on", "under"):
        scores.update(TextItem(text=found), TextItem(text="on"))
    scores.update(AnswerError("words", ""), TextItem(text="Under"))
    assert scores.result().estimates["mean_recall"].value == 3 / 8
    assert scores.scores().tolist() == [1, 1, 1, 0, 0]

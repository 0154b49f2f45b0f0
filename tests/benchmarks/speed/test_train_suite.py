"""The suite of training steps runs in small and reports every figure; its parts count what they say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.speed import main as command
from embodio.benchmarks.speed.suites import BenchmarkConfig
from embodio.benchmarks.speed.training.batch_forms import batch_forms, positions, streamed_pairs
from embodio.benchmarks.speed.training.corpus_features import corpus_features
from embodio.benchmarks.speed.training.paper_lengths import GROUPS, paper_features
from embodio.benchmarks.speed.training.step_account import Recording, shares
from embodio.datasets.stream.packing import Capacity, longest_example, padding
from embodio.model import ModelConfig
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.train.command_line.schema import UsageError
from tests.support.datasets.tiny_corpus import write_tiny_corpus


def test_suite(tmp_path: Path) -> None:
    assert command.main(["suite=train", "quick=true", "repeats=1", f"out={tmp_path}"]) == 0
    rows = {row["name"]: row for row in json.loads((tmp_path / "results.json").read_text())["rows"]}
    goals = {name: row["goal"] for name, row in rows.items() if row["goal"] and "2 thread" not in name}
    assert goals == {
        "padding in packed rows": "<= 5",
        "packed": ">= 3.5",
        "packing itself": "<= 2",
        "packed step, 1 thread": "<= 1.25",
        "an example of an image with a caption": "<= 2",
        "an example of a sound with a caption": "<= 2",
        "an example of an image, a sound and a caption": "<= 2",
        "an annotated example in words": "<= 2",
        "an annotated example with a picture": "<= 1.3",
    }
    assert rows["padding to the maximum lengths"]["value"] > rows["padding to the longest of the batch"]["value"] > 5
    assert all(row["value"] > 0 for name, row in rows.items() if name != "padding in packed rows")


def test_forms_are_of_the_same_tokens() -> None:
    network = ModelConfig.named("nano_generalist")
    forms = batch_forms(network, 24)
    assert positions(forms.maximum, network) > positions(forms.longest, network) > forms.tokens
    assert int(forms.packed["packing/inputs"].sum() + forms.packed["packing/targets"].sum()) == forms.tokens
    assert padding(forms.packed) < padding(forms.pairs) < 1
    for pairs in (forms.pairs, forms.streamed):
        assert np.bincount(pairs["packing/rows"].numpy()).max() == 2


def test_examples_are_of_every_kind_and_fit() -> None:
    network = ModelConfig.named("nano_generalist")
    generator = np.random.default_rng(1)
    found = [paper_features(network, generator) for _ in range(300)]
    longest = longest_example(network)
    for part in ("inputs/image_history/input", "inputs/audio/input", "targets/image/tokens", "targets/audio/tokens"):
        assert sum(part in features for features in found) > 10
    texts = sum("targets/text/targets" in features for features in found)
    assert 0.5 < texts / len(found) < 0.85 and sum(GROUPS.values()) == pytest.approx(100)
    assert max(len(features["inputs/text/tokens"]) for features in found) <= 256 < sum(longest)


def test_pairs_of_the_pool() -> None:
    """6 waits, 5 does not fit, 4 joins 6 (the largest that it fits), 3 joins 5; none is lost or taken twice."""
    encoder, decoder = np.array([6, 5, 4, 3, 9]), np.array([1, 1, 1, 1, 1])
    assert streamed_pairs(encoder, decoder, Capacity(10, 10, 2)).tolist() == [0, 1, 0, 1, 2]
    rng = np.random.default_rng(0)
    reads, writes = rng.integers(1, 60, (2, 200))
    rows = streamed_pairs(reads, writes, Capacity(70, 90, 2))
    assert sorted(set(rows.tolist())) == list(range(rows.max() + 1)) and np.bincount(rows).max() == 2
    assert np.bincount(rows, reads).max() <= 70 and np.bincount(rows, writes).max() <= 90


def test_a_recording_counts_products_and_attention() -> None:
    left, right = torch.randn(6, 5, requires_grad=True), torch.randn(5, 7)
    query = torch.randn(2, 3, 8, 4, requires_grad=True)
    with Recording() as recording:
        (left @ right).sum().backward()
        functional.scaled_dot_product_attention(query, query, query, is_causal=True).sum().backward()
    product, attention = 2 * 6 * 5 * 7, 2 * (2 * 3 * 8 * 4) * 8
    assert recording.flops == 2 * product + (2 + 5) * attention / 2
    assert len(recording.calls) == 4
    recording.bare()()
    with Recording() as recording:
        (left.detach() + 1.0).t().mul_(2.0)  # two calls, each reads and writes all of it
        torch.empty(1000)
    assert recording.moved == 4 * (6 * 5 * 4) and recording.calls == []
    assert sum(shares(lambda: left @ right).values()) == pytest.approx(1)


def test_a_corpus_is_read_in_the_words_of_the_recipe(tmp_path: Path) -> None:
    """Texts are as long in tokens as in the recipe's training; records that give no example are passed over."""
    corpus, vocabulary = write_tiny_corpus(tmp_path), Vocabulary.nano()
    features = corpus_features(ModelConfig.named("nano_generalist"), corpus, 12)
    texts = {vocabulary.decode(found["inputs/text/tokens"]) for found in features}
    assert len(features) == 12 and any(text.endswith("a red box and a blue box") for text in texts), texts


def test_a_corpus_is_for_this_suite_and_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="corpus: suite data has no use for one"):
        BenchmarkConfig("data", corpus=tmp_path)
    with pytest.raises(BenchmarkError, match="corpus: "):
        batch_forms(ModelConfig.named("nano_generalist"), 2, tmp_path)

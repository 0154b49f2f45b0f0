"""Sums of tokens: bits and unigram entropy by modality and task are those of a plain count; sizes those of masks."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from embodio.model.example import Example
from embodio.model.network.batch import POSITIONS, collate, positions_of
from embodio.model.network.loss import compute_loss
from embodio.model.network.packing import ROWS
from embodio.model.processing.processor import Processor
from embodio.train.objective import Outcome, TokenLoss, together
from embodio.train.observers.example_sizes import batch_size, example_sizes
from embodio.train.observers.observer import StepReport
from embodio.train.observers.task_sums import TaskSums
from embodio.train.observers.token_sums import TokenSums, entropy_bits
from tests.support.model.small import CONFIG, VOCABULARY, model

RNG = np.random.default_rng(0)


def examples() -> list[Example]:
    image = RNG.integers(0, 256, (30, 20, 3)).astype(np.uint8)
    sound = (0.1 * RNG.normal(size=6000)).astype(np.float32)
    return [
        Example(text="a short one", text_target="yes"),
        Example(text="this is a longer prompt", image=image, text_target="no, it is not so"),
        Example(text="draw", image_target=image),
        Example(text="hear", audio=sound, image_history=[image], audio_target=sound),
    ]


def batch() -> dict[str, torch.Tensor]:
    processor = Processor(CONFIG, VOCABULARY)
    found = dict(collate([processor(example, np.random.default_rng(1)) for example in examples()]))
    return {**found, POSITIONS: torch.arange(4)}


@pytest.fixture(scope="module")
def measured() -> tuple[dict[str, torch.Tensor], Outcome]:
    made = batch()
    with torch.no_grad():
        return made, TokenLoss(1e-4)(model(), made)


def test_sums_of_rows_are_the_losses_of_the_modalities(measured: tuple[Any, Outcome]) -> None:
    made, outcome = measured
    with torch.no_grad():
        losses = compute_loss(model()(made)).modalities
    assert set(outcome.rows) == {"text", "image", "audio"}
    for name, rows in outcome.rows.items():
        nats, positions, right, counted = rows.sums.double().sum(0).tolist()
        assert nats / positions == pytest.approx(float(losses[name].cross_entropy), rel=1e-5)
        assert (positions, right, counted) == tuple(
            float(getattr(losses[name], k)) for k in ("weight", "right", "counted")
        )
        assert float(rows.ids.sum()) == positions
    assert (outcome.rows["image"].sums[:, 1] > 0).tolist() == [False, False, True, False]


def test_bits_and_unigram_entropy_are_those_of_a_plain_count(measured: tuple[Any, Outcome]) -> None:
    made, outcome = measured
    sums = TokenSums()
    sums.add(outcome.rows)
    sums.add(outcome.rows)
    line = sums.line()
    targets, mask = made["targets/text/targets"], made["targets/text/mask"].bool()
    counts = Counter(targets[mask].tolist())
    total = sum(counts.values())
    entropy = -sum(count / total * math.log2(count / total) for count in counts.values())
    assert line["unigram_text"] == pytest.approx(entropy) and line["tokens_text"] == 2 * total
    nats = outcome.rows["text"].sums[:, 0].sum()
    assert line["bits_text"] == pytest.approx(float(nats) / total / math.log(2), rel=1e-5)
    sums.restart()
    assert sums.line() == {}
    assert entropy_bits(torch.zeros(5)) == 0.0 and entropy_bits(torch.ones(8)) == pytest.approx(3.0)


def test_packed_rows_have_the_sums_of_unpacked_ones(measured: tuple[Any, Outcome]) -> None:
    made, outcome = measured
    with torch.no_grad():
        packed = TokenLoss(1e-4)(model(), {**made, ROWS: torch.tensor([0, 0, 1, 0])})
    for name, rows in outcome.rows.items():
        torch.testing.assert_close(packed.rows[name].sums, rows.sums, rtol=1e-4, atol=1e-4)
        assert torch.equal(packed.rows[name].ids, rows.ids)


def test_batches_of_one_step_are_put_together(measured: tuple[Any, Outcome]) -> None:
    _, outcome = measured
    only_text = outcome._replace(rows={"text": outcome.rows["text"]})
    both = together([only_text, outcome])
    assert len(both.rows["image"].sums) == len(both.rows["text"].sums) == 8
    assert not both.rows["image"].sums[:4].any()
    assert torch.equal(both.rows["text"].ids, 2 * outcome.rows["text"].ids)


class Batches:
    damaged = ()

    def task_at(self, position: int) -> str:
        return "even" if position % 2 == 0 else "odd"


def test_tasks_have_their_shares_and_their_own_bits(measured: tuple[Any, Outcome]) -> None:
    made, outcome = measured
    tasks = TaskSums(Batches())  # type: ignore[arg-type]
    tasks.add(StepReport(1, [made], outcome, 1.0, 0.1, True, {}, positions_of([made])))
    lines = tasks.lines()
    assert {name: line["share"] for name, line in lines.items()} == {"even": 0.5, "odd": 0.5}
    text, sound = outcome.rows["text"].sums, outcome.rows["audio"].sums
    assert lines["even"]["bits_text"] == pytest.approx(float(text[0, 0] / text[0, 1]) / math.log(2), rel=1e-5)
    assert lines["odd"]["bits_audio"] == pytest.approx(float(sound[3, 0] / sound[3, 1]) / math.log(2), rel=1e-5)
    assert "bits_image" not in lines["odd"] and tasks.lines() == {}
    other = TaskSums(Batches())  # type: ignore[arg-type]
    other.add(StepReport(1, [{}], outcome, 1.0, 0.1, True, {}, positions_of([{"x": torch.ones(2)}])))
    assert other.lines() == {}, "batches that do not say where they are from"


def test_sizes_are_counted_from_masks() -> None:
    made = batch()
    sizes = example_sizes(made, CONFIG)
    lengths = [len(VOCABULARY.encode(example.text)) + 1 for example in examples()]
    assert [size.text for size in sizes] == lengths
    assert [bool(size.image) for size in sizes] == [False, True, False, False]
    assert [len(size.image_history) for size in sizes] == [0, 0, 0, 1]
    assert sizes[2].image_target == int(made["targets/image/mask"][2].sum()) and sizes[0].image_target == 0
    size = batch_size(made, CONFIG)
    assert size.tokens == sum(one.encoder_tokens(CONFIG) + one.decoder_tokens for one in sizes)
    assert size.places > size.tokens and size.flops(CONFIG) > 0
    packed = batch_size({**made, ROWS: torch.tensor([0, 0, 0, 0])}, CONFIG)
    assert packed.tokens == packed.places == size.tokens

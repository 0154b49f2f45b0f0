"""The stream of batches: a pure function of (seed, step), the same for any number of workers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.datasets.augment.augment import Augmentation
from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.episodes.statistics import compute_statistics
from embodio.datasets.errors import DatasetError
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.stream.order import generator_at, record_at, records_at
from embodio.datasets.stream.stream import BatchStream, batches, evaluation_batches
from embodio.datasets.tasks.next_action import NextAction
from embodio.datasets.tasks.parts.moment_task import SharedConfig
from embodio.model.config.model import ModelConfig
from embodio.model.processing.processor import Processor
from tests.support.datasets.toy import toy_format, write_toy_dataset


@given(st.integers(0, 2**31), st.integers(1, 500), st.integers(0, 3))
def test_every_epoch_visits_every_record_once(seed: int, records: int, epoch: int) -> None:
    visited = [record_at(seed, epoch * records + i, records) for i in range(records)]
    assert sorted(visited) == list(range(records))


@given(st.integers(0, 2**31), st.integers(1, 20), st.integers(0, 100), st.integers(0, 70))
def test_many_draws_are_as_one_by_one(seed: int, records: int, first: int, count: int) -> None:
    positions = range(first, first + count)
    drawn = records_at(seed, positions, records)
    assert drawn.dtype == np.int64
    assert drawn.tolist() == [record_at(seed, position, records) for position in positions]


def test_the_order_differs_by_seed_and_epoch() -> None:
    orders = {tuple(record_at(seed, epoch * 50 + i, 50) for i in range(50)) for seed in (0, 1) for epoch in (0, 1)}
    assert len(orders) == 4


def test_no_records_is_an_error() -> None:
    with pytest.raises(DatasetError, match="no record"):
        record_at(0, 0, 0)
    with pytest.raises(DatasetError, match="no record"):
        records_at(0, range(3), 0)


@settings(max_examples=50)
@given(st.integers(0, 2**31), st.integers(0, 6))
def test_augmentation_is_one_draw_for_all_frames(seed: int, shift: int) -> None:
    config = AugmentConfig(shift=shift, brightness=0.2, contrast=0.2, colour=0.1)
    frame = np.random.default_rng(1).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    one = Augmentation(config, generator_at(seed, 5), ("a", "b"))
    again = Augmentation(config, generator_at(seed, 5), ("a", "b"))
    np.testing.assert_array_equal(one("a", frame), one("a", frame))
    np.testing.assert_array_equal(one("b", frame), again("b", frame))
    assert one("a", frame).shape == frame.shape and one("a", frame).dtype == np.uint8


def test_no_augmentation_changes_nothing() -> None:
    frame = np.random.default_rng(1).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    np.testing.assert_array_equal(Augmentation(AugmentConfig(), generator_at(0, 0), ("a",))("a", frame), frame)


def test_a_shift_moves_the_picture() -> None:
    frame = np.random.default_rng(1).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    for seed in range(20):
        augmentation = Augmentation(AugmentConfig(shift=3), generator_at(seed, 0), ("a",))
        down, right = augmentation._shifts["a"]
        moved = augmentation("a", frame)
        np.testing.assert_array_equal(moved[5:15, 5:15], frame[5 - down : 15 - down, 5 - right : 15 - right])


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> RLDSReader:
    return RLDSReader(write_toy_dataset(tmp_path_factory.mktemp("data") / "toy", episodes=5, steps=6))


def make_stream(reader: RLDSReader, seed: int = 3) -> BatchStream:
    policy_format = toy_format(compute_statistics(reader))
    config = AugmentConfig(shift=2, brightness=0.1)
    task = NextAction(reader, policy_format, range(5), shared=SharedConfig(augment=config))
    return BatchStream(task, Processor(ModelConfig.named("nano"), policy_format.vocabulary), seed, batch_size=3)


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_batches_do_not_depend_on_workers_or_on_where_one_starts(reader: RLDSReader) -> None:
    stream = make_stream(reader)
    expected = [stream[i] for i in range(6)]
    for workers, start in ((0, 0), (2, 3)):
        got = list(batches(stream, start, 6, workers))
        assert len(got) == 6 - start
        assert all(equal(a, b) for a, b in zip(got, expected[start:], strict=True))
    assert not equal(make_stream(reader, seed=4)[0], expected[0])


def test_records_cover_all_steps_and_repeat_the_last_action(reader: RLDSReader) -> None:
    policy_format = toy_format(compute_statistics(reader))
    task = NextAction(reader, policy_format, [1, 3])
    assert len(task) == 12
    assert [task.locate(i) for i in (0, 5, 6, 11)] == [(1, 0), (1, 5), (3, 0), (3, 5)]
    last = task.example(11)
    action = reader.episode(3).array("action")[5]
    expected = policy_format.codec.encode(np.stack([action] * policy_format.chunk)).reshape(-1)
    assert list(last.text_target) == expected.tolist()
    np.testing.assert_array_equal(last.image[:, :128], reader.episode(3).frame("front", 5))
    with pytest.raises(DatasetError, match="there are 12"):
        task.locate(12)


def test_evaluation_is_spread_over_the_task(reader: RLDSReader) -> None:
    policy_format = toy_format(compute_statistics(reader))
    task = NextAction(reader, policy_format, range(5))
    processor = Processor(ModelConfig.named("nano"), policy_format.vocabulary)
    sizes = [len(batch["inputs/text/tokens"]) for batch in evaluation_batches(task, processor, 10, 4)]
    assert sizes == [4, 4, 2]

"""Mixtures: rates, epochs, and a place of the stream that depends on nothing but its number."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.datasets.errors import DatasetError, ExampleError
from embodio.datasets.stream.mixture import BLOCK, Mixture, MixtureEntry, quotas
from embodio.datasets.stream.mixture_config import MixtureConfig
from embodio.datasets.stream.order import scattered
from embodio.datasets.stream.stream import BatchStream
from embodio.datasets.tasks.parts.record_task import Place
from embodio.model.example import Example


class Records:
    """A task of numbered records that are nothing but their number."""

    damaged: tuple[ExampleError, ...] = ()

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def place(self, index: int) -> Place:
        return Place("records", index, 0)

    def example(self, index: int, generator: np.random.Generator | None = None) -> Example:
        return Example(text=f"{index} {0.0 if generator is None else generator.random()}")


def mixture(sizes: list[int], weights: list[float] | None = None, **config: object) -> Mixture:
    weights = weights or [1.0] * len(sizes)
    categories = ["ab"[i % 2] if config.get("categories") else "" for i in range(len(sizes))]
    entries = [MixtureEntry(f"task{i}", Records(size), weights[i], categories[i]) for i, size in enumerate(sizes)]
    return Mixture(entries, MixtureConfig(**config))


@given(st.integers(0, 2**40), st.integers(1, 600))
def test_scattering_is_a_permutation(key: int, size: int) -> None:
    assert sorted(scattered((key, 3), i, size) for i in range(size)) == list(range(size))


def test_scattering_leaves_no_pattern() -> None:
    """Neighbours land far apart, and every place is as likely as any other."""
    places = np.array([[scattered((seed,), i, 100) for i in range(4)] for seed in range(2000)])
    counts = np.bincount(places.ravel(), minlength=100)
    assert counts.min() > 40 and counts.max() < 130  # 80 expected
    assert abs(np.corrcoef(places[:, 0], places[:, 1])[0, 1]) < 0.08


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(0, 2**31), st.integers(0, 2))
def test_an_epoch_visits_every_record_of_every_task_once(sizes: list[int], seed: int, epoch: int) -> None:
    mixed = mixture(sizes, mode="epoch")
    seen = Counter(mixed.place(seed, epoch * len(mixed) + i) for i in range(len(mixed)))
    assert seen == Counter((task, record) for task, size in enumerate(sizes) for record in range(size))


def test_rates_are_exact_in_every_block_and_records_are_visited_evenly() -> None:
    mixed = mixture([5, 70], [1.0, 3.0])
    seen = Counter(mixed.place(9, position) for position in range(BLOCK))
    small = [seen[0, record] for record in range(5)]
    large = [seen[1, record] for record in range(70)]
    assert sum(small) == BLOCK // 4 and sum(large) == BLOCK * 3 // 4
    assert max(small) - min(small) <= 1 and max(large) - min(large) <= 1
    first = [mixed.place(9, position)[0] for position in range(400)]
    assert 60 < first.count(0) < 140, "the tasks are mixed from the beginning"


@pytest.mark.parametrize(
    ("temperature", "expected"), [(0.0, [1, 1, 1]), (1.0, [1, 4, 16]), (2.0, [1, 2, 4]), (4.0, [1, 2**0.5, 2])]
)
def test_temperature(temperature: float, expected: list[float]) -> None:
    rates = mixture([10, 40, 160], temperature=temperature).rates()
    np.testing.assert_allclose(rates, np.array(expected) / sum(expected))


def test_categories_share_first_and_their_tasks_second() -> None:
    mixed = mixture([10, 10, 30], categories={"a": 3.0, "b": 1.0}, temperature=1.0)
    np.testing.assert_allclose(mixed.rates(), [0.75 * 0.25, 0.25, 0.75 * 0.75])
    with pytest.raises(DatasetError, match="categories"):
        mixture([10, 10], categories={"a": 1.0, "b": 1.0, "c": 1.0})


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=50), st.sampled_from([64, 1000, BLOCK]))
def test_quotas_are_whole_complete_and_close(weights: list[float], total: int) -> None:
    rates = np.array(weights) / sum(weights)
    counts = quotas(rates, total)
    assert sum(counts) == total and min(counts) >= 1
    if (rates * total >= 1).all():
        assert np.abs(np.array(counts) - rates * total).max() <= 1


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.integers(1, 3), st.sampled_from([1, 2, 3, 6]), st.integers(0, BLOCK * 3))
def test_the_stream_is_the_same_for_any_ranks_and_start(seed: int, tasks: int, ranks: int, step: int) -> None:
    mixed = mixture([7, 20, 31][:tasks])
    whole = BatchStream(mixed, None, seed, 6)
    expected = [mixed.place(seed, position) for position in range(step * 6, step * 6 + 6)]
    parts = [BatchStream(mixed, None, seed, 6, rank=rank, ranks=ranks) for rank in range(ranks)]
    assert [mixed.place(seed, p) for part in parts for p in part.positions(step)] == expected
    assert [whole.draw(p)[1] for p in whole.positions(step)] == [record for _, record in expected]


def test_a_seed_changes_order_and_draws() -> None:
    orders = {tuple(mixture([50]).place(seed, i)[1] for i in range(20)) for seed in range(5)}
    assert len(orders) == 5
    mixed = mixture([50, 50])
    spares = {mixed.draw(1, 4, attempt)[1] for attempt in range(6)}
    assert len(spares) > 3 and mixed.draw(1, 4, 2) == mixed.draw(1, 4, 2)


def test_what_cannot_be_mixed_is_refused() -> None:
    for text, make in (
        ("no tasks", lambda: mixture([])),
        ("no records", lambda: mixture([3, 0])),
        ("weight of 'task1'", lambda: mixture([3, 3], [1.0, -1.0])),
        ("weight", lambda: mixture([3], [float("nan")])),
        ("names", lambda: Mixture([MixtureEntry("a", Records(1))] * 2, MixtureConfig())),
        ("temperature", lambda: mixture([1], temperature=0.5)),
        ("mode", lambda: mixture([1], mode="sometimes")),
    ):
        with pytest.raises(DatasetError, match=text):
            make()

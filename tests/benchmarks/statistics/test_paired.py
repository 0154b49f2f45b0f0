"""Paired tables: the exact test and the interval of the difference, by hand, as published, and by their properties."""

from __future__ import annotations

import math

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from embodio.benchmarks.statistics.paired import PairedTable, mcnemar_exact, newcombe_interval

TABLES = st.builds(PairedTable, *(st.integers(0, 60) for _ in range(4))).filter(lambda table: table.pairs > 0)


def test_pairs_are_counted() -> None:
    pairs = [(True, True)] * 4 + [(True, False)] * 3 + [(False, True)] * 2 + [(False, False)]
    table = PairedTable.of(pairs)
    assert table == PairedTable(4, 3, 2, 1)
    assert (table.pairs, table.successes, table.difference) == (10, (7, 6), pytest.approx(0.1))
    assert table + PairedTable(1, 0, 0, 0) == PairedTable(5, 3, 2, 1)
    with pytest.raises(ValueError, match="0 or more"):
        PairedTable(1, -1, 0, 0)


@pytest.mark.parametrize(
    ("only_a", "only_b", "p_value"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),  # 2 / 2
        (5, 0, 2 / 32),
        (0, 6, 2 / 64),
        (8, 1, 2 * (1 + 9) / 512),
        (3, 3, 1.0),
        (1, 7, 2 * (1 + 8) / 256),  # 0.0703, Bentur et al. 2009 as analysed in Fagerland et al. 2013
        (6, 16, 0.0525),  # Cavo et al. 2012, the same
    ],
)
def test_mcnemar_by_hand(only_a: int, only_b: int, p_value: float) -> None:
    assert mcnemar_exact(only_a, only_b) == pytest.approx(p_value, abs=5e-5 if p_value == 0.0525 else 1e-12)


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_the_binomial_test_of_the_discordant_pairs(only_a: int, only_b: int) -> None:
    found = mcnemar_exact(only_a, only_b)
    assert found == pytest.approx(mcnemar_exact(only_b, only_a))
    if only_a + only_b:
        assert found == pytest.approx(scipy.stats.binomtest(only_a, only_a + only_b).pvalue, rel=1e-9)


@given(st.integers(1, 80), st.floats(0.001, 0.2))
def test_mcnemar_rejects_a_true_null_no_more_often_than_its_level(discordant: int, alpha: float) -> None:
    chances = [math.comb(discordant, k) / 2**discordant for k in range(discordant + 1)]
    rejected = sum(chance for k, chance in enumerate(chances) if mcnemar_exact(k, discordant - k) <= alpha)
    assert rejected <= alpha + 1e-12


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((14, 5, 0, 22), 0.011, 0.226),  # Altman et al. (2000), Statistics with Confidence, table 6.2
        ((1, 1, 7, 12), -0.507, -0.026),  # Fagerland et al. (2013), BMC Med Res Methodol 13, 91
        # By hand: both rates are 1, so phi is 0; each Wilson interval of 20 of 20 begins at 20 / (20 + z^2) = 0.8389.
        ((20, 0, 0, 0), -0.1611, 0.1611),
        ((0, 0, 0, 20), -0.1611, 0.1611),
    ],
)
def test_newcombe_as_published(counts: tuple[int, int, int, int], low: float, high: float) -> None:
    assert newcombe_interval(PairedTable(*counts)) == pytest.approx((low, high), abs=6e-4)


def test_newcombe_by_hand() -> None:
    """A succeeds in 8 of 10 pairs, B in 6: both 5, only A 3, only B 1, neither 1."""
    z = 1.9599640
    low_a, high_a = 0.4901625, 0.9433178  # Wilson of 8 of 10: (0.8 + z^2/20 -+ z sqrt(0.016 + z^2/400)) / (1 + z^2/10)
    low_b, high_b = 0.3126738, 0.8318197  # of 6 of 10
    assert (0.8 + z**2 / 20 - z * math.sqrt(0.016 + z**2 / 400)) / (1 + z**2 / 10) == pytest.approx(low_a, abs=1e-6)
    phi = 0.0  # 5 * 1 - 3 * 1 = 2 is less than half of the pairs, so the correction makes it 0
    below = math.sqrt((0.8 - low_a) ** 2 - 2 * phi * (0.8 - low_a) * (high_b - 0.6) + (high_b - 0.6) ** 2)
    above = math.sqrt((high_a - 0.8) ** 2 - 2 * phi * (high_a - 0.8) * (0.6 - low_b) + (0.6 - low_b) ** 2)
    assert newcombe_interval(PairedTable(5, 3, 1, 1)) == pytest.approx((0.2 - below, 0.2 + above), abs=1e-6)


@given(TABLES, st.floats(0.5, 0.99))
def test_newcombe_mirrors_shrinks_and_holds_the_difference(table: PairedTable, level: float) -> None:
    low, high = newcombe_interval(table, level)
    assert -1 <= low <= table.difference <= high <= 1
    swapped = PairedTable(table.both, table.only_b, table.only_a, table.neither)
    assert newcombe_interval(swapped, level) == pytest.approx((-high, -low), abs=1e-12)
    wider = newcombe_interval(table, level + 0.009)
    assert wider[0] <= low + 1e-12 and high <= wider[1] + 1e-12
    more = newcombe_interval(table.scaled(4 * table.pairs), level)
    assert more[1] - more[0] <= high - low + 1e-12


def test_without_pairs_nothing_is_known() -> None:
    assert newcombe_interval(PairedTable(0, 0, 0, 0)) == (-1.0, 1.0)
    assert PairedTable(0, 0, 0, 0).difference == 0.0

"""Episodes needed: by hand, and enough for the verdict that they are meant for."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from embodio.benchmarks.statistics.episodes_needed import MOST, pairs_for_a_difference, pairs_for_equality
from embodio.benchmarks.statistics.paired import PairedTable, mcnemar_exact, newcombe_interval


def test_a_difference_by_hand() -> None:
    """20 pairs, of which A alone succeeds in 4 and B alone in 1: psi = 0.25, delta = 0.15."""
    root = 1.959964 * math.sqrt(0.25) + 0.841621 * math.sqrt(0.25 - 0.0225)
    assert math.ceil(root**2 / 0.0225) == 85
    assert pairs_for_a_difference(PairedTable(10, 4, 1, 5)) == 85
    assert pairs_for_a_difference(PairedTable(10, 4, 1, 5), alpha=0.01) == 127
    assert pairs_for_a_difference(PairedTable(10, 3, 3, 5)) is None
    assert pairs_for_a_difference(PairedTable(0, 0, 0, 0)) is None
    assert pairs_for_a_difference(PairedTable(10**6, 1, 0, 0)) is None, f"more than {MOST}"


def test_equality_by_hand() -> None:
    """All succeed: the limits are -+ z^2 / (n + z^2), below 0.05 from n = 19 z^2 = 72.99 on."""
    assert pairs_for_equality(PairedTable(20, 0, 0, 0), 0.05) == 73
    assert pairs_for_equality(PairedTable(20, 0, 0, 0), 0.05, level=0.99) == 127  # 19 * 2.5758^2 = 126.06
    assert pairs_for_equality(PairedTable(9, 1, 0, 0), 0.05) is None, "the difference is outside the margin"
    assert pairs_for_equality(PairedTable(0, 0, 0, 0), 0.05) is None
    assert pairs_for_equality(PairedTable(9, 0, 0, 1), 1e-6) is None, f"more than {MOST}"


@given(st.integers(0, 30), st.integers(1, 20), st.integers(0, 20), st.integers(0, 30))
def test_with_that_many_the_expected_table_differs(both: int, only_a: int, only_b: int, neither: int) -> None:
    table = PairedTable(both, only_a, only_b, neither)
    needed = pairs_for_a_difference(table)
    if needed is not None and 12 < (only_a + only_b) * needed / table.pairs < 2000:  # fewer pairs are coarse
        grown = table.scaled(needed)
        assert mcnemar_exact(round(grown.only_a), round(grown.only_b)) <= 0.05


@given(st.integers(0, 30), st.integers(0, 20), st.integers(0, 20), st.integers(1, 30), st.floats(0.02, 0.3))
def test_with_that_many_the_interval_is_inside(a: int, b: int, c: int, d: int, margin: float) -> None:
    table = PairedTable(a, b, c, d)
    needed = pairs_for_equality(table, margin)
    if needed is not None:
        low, high = newcombe_interval(table.scaled(needed))
        assert -margin < low and high < margin
        if needed > 1:
            low, high = newcombe_interval(table.scaled(needed - 1))
            assert low <= -margin or margin <= high

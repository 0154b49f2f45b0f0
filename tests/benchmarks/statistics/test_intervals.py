"""The interval against published values and against its own definition."""

from __future__ import annotations

import math

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from embodio.benchmarks.statistics.intervals import wilson_interval


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_published_values(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 2000), st.data())
def test_its_limits_are_where_the_score_test_turns(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    low, high = wilson_interval(successes, trials)
    share = successes / trials
    assert 0 <= low <= share <= high <= 1
    assert low < high
    for limit in (low, high):
        if 0 < limit < 1:
            assert abs(share - limit) == pytest.approx(1.959964 * math.sqrt(limit * (1 - limit) / trials), rel=1e-4)


@given(st.integers(1, 500), st.floats(0.5, 0.999), st.data())
def test_it_is_that_of_scipy(trials: int, level: float, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    theirs = scipy.stats.binomtest(successes, trials).proportion_ci(level, method="wilson")
    assert wilson_interval(successes, trials, level) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_without_trials_nothing_is_known() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("successes", "trials"), [(3, 2), (-1, 2)])
def test_impossible_counts(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="must"):
        wilson_interval(successes, trials)

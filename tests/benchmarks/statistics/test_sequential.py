"""The test that may be looked at after every pair: by hand, and its level when it is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.benchmarks.statistics.sequential import anytime_p_values, evidence

A, B, SAME = (True, False), (False, True), (True, True)


def test_by_hand() -> None:
    assert evidence(0, 0) == 1
    assert (evidence(1, 0), evidence(2, 0), evidence(8, 0)) == (1, 4 / 3, 256 / 9)
    assert evidence(2, 1) == pytest.approx(8 / (4 * 3))
    assert anytime_p_values([A, SAME, A, B, A]) == pytest.approx([1, 1, 3 / 4, 3 / 4, 3 / 4])
    assert anytime_p_values([A] * 8)[-2:] == pytest.approx([8 / 128, 9 / 256]), "eight in a row are enough for 5%"
    assert anytime_p_values([]) == []


@given(st.integers(0, 60))
def test_its_mean_is_one_under_the_null(discordant: int) -> None:
    mean = sum(math.comb(discordant, k) / 2**discordant * evidence(k, discordant - k) for k in range(discordant + 1))
    assert mean == pytest.approx(1)


def test_looking_after_every_pair_keeps_the_level() -> None:
    """Random walks of 200 fair coins: the share that ever reaches 20 is at most 5%, with room for chance."""
    random = np.random.default_rng(7)
    ever = 0
    for _ in range(400):
        pairs = [A if heads else B for heads in random.random(200) < 0.5]
        ever += anytime_p_values(pairs)[-1] <= 0.05
    assert 1 <= ever <= 0.05 * 400 + 3 * math.sqrt(400 * 0.05 * 0.95)


@given(st.lists(st.sampled_from([A, B, SAME]), max_size=60))
def test_it_never_rises(pairs: list[tuple[bool, bool]]) -> None:
    values = anytime_p_values(pairs)
    assert len(values) == len(pairs) and all(0 < value <= 1 for value in values)
    assert values == sorted(values, reverse=True)

"""Verdicts and the correction for several tests, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.benchmarks.statistics.paired import PairedTable, mcnemar_exact
from embodio.benchmarks.statistics.verdicts import Rule, Verdict, holm, verdict

RULE = Rule(margin=0.05)


def judged(*counts: int, tests: int = 1, rule: Rule = RULE) -> Verdict:
    table = PairedTable(*counts)
    return verdict(table, mcnemar_exact(counts[1], counts[2]), rule, tests)


def test_words() -> None:
    assert judged(50, 10, 0, 40) == Verdict("better")  # p = 2 / 1024
    assert judged(50, 0, 10, 40) == Verdict("worse")
    assert judged(73, 0, 0, 0) == Verdict("equal")
    assert judged(72, 0, 0, 0) == Verdict("cannot tell", 1)
    assert judged(20, 0, 0, 0) == Verdict("cannot tell", 53)
    assert judged(10, 4, 1, 5) == Verdict("cannot tell", 65), "85 in all find this difference"
    assert judged(0, 0, 0, 0) == Verdict("cannot tell", None)
    assert judged(10, 3, 3, 4, rule=Rule(margin=0.0)) == Verdict("cannot tell", None), "nothing is exactly equal"


def test_a_margin_decides_what_is_equal() -> None:
    assert judged(45, 3, 2, 50).word == "cannot tell"  # interval -4.1% to 6.2%
    assert judged(45, 3, 2, 50, rule=Rule(margin=0.1)).word == "equal"
    assert judged(73, 0, 0, 0, tests=5).word == "cannot tell", "five claims of equality need more"


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_is_between_nothing_and_bonferroni(values: list[float]) -> None:
    corrected = holm(values)
    assert all(p <= found <= min(1, len(values) * p) + 1e-12 for p, found in zip(values, corrected, strict=True))
    order = sorted(range(len(values)), key=values.__getitem__)
    assert [corrected[index] for index in order] == sorted(corrected)
    if values:
        smallest = min(values)
        assert corrected[values.index(smallest)] == pytest.approx(min(1, len(values) * smallest))

"""Verdicts on paired policies: better, worse, equal within a margin, or how many more episodes are needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from embodio.benchmarks.statistics.episodes_needed import pairs_for_a_difference, pairs_for_equality
from embodio.benchmarks.statistics.paired import PairedTable, newcombe_interval

Word = Literal["better", "worse", "equal", "cannot tell"]


@dataclass(frozen=True)
class Rule:
    """How a verdict is reached.

    Attributes:
        margin: the largest difference of success rates that counts as equal.
        alpha: probability of finding a difference, or equality, that is not there.
        power: probability of finding the observed difference that the number of episodes still needed is made for.
    """

    margin: float = 0.05
    alpha: float = 0.05
    power: float = 0.8


@dataclass(frozen=True)
class Verdict:
    """What can be said about A compared with B.

    Attributes:
        word: "better" or "worse" if the test finds a difference; "equal" if it does not, and the interval of the
            difference lies inside the margin; otherwise "cannot tell".
        more: for "cannot tell", how many more pairs are expected to decide; None if no affordable number is.
    """

    word: Word
    more: int | None = None


def verdict(table: PairedTable, p_value: float, rule: Rule, tests: int = 1) -> Verdict:
    """The verdict on A compared with B.

    Args:
        table: the pairs.
        p_value: of the difference, corrected for the number of tests.
        rule: margin, level and power.
        tests: how many tasks are judged together; the interval that shows equality has the level 1 - alpha / tests, so
            that all claims of equality hold together (Bonferroni).
    """
    alpha = rule.alpha / tests
    if p_value <= rule.alpha and table.difference:
        return Verdict("better" if table.difference > 0 else "worse")
    low, high = newcombe_interval(table, 1 - alpha)
    if -rule.margin < low and high < rule.margin:
        return Verdict("equal")
    if not table.pairs:
        return Verdict("cannot tell")
    wanted = (
        pairs_for_a_difference(table, alpha, rule.power),
        pairs_for_equality(table, rule.margin, 1 - alpha),
    )
    totals = [total for total in wanted if total is not None]
    return Verdict("cannot tell", max(1, math.ceil(min(totals) - table.pairs)) if totals else None)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number, in the given order (Holm 1979, Scandinavian Journal of Statistics 6, 65).

    The i-th smallest of n is multiplied by n - i + 1, is at least as large as those before it, and at most 1. Rejecting
    where a corrected value is at most alpha makes any false rejection at all as improbable as alpha.
    """
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected

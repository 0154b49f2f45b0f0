"""Verdicts on pairs: better, worse, equal within a margin, or how many more episodes or items are needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from embodio.benchmarks.statistics.episodes_needed import MOST, pairs_for_a_difference, pairs_for_equality
from embodio.benchmarks.statistics.intervals import normal_quantile
from embodio.benchmarks.statistics.paired import PairedTable, newcombe_interval
from embodio.benchmarks.statistics.paired_figures import FigureDifference

Word = Literal["better", "worse", "equal", "cannot tell"]


@dataclass(frozen=True)
class Rule:
    """How a verdict is reached.

    Attributes:
        margin: the largest difference that counts as equal, of success rates or other figures from 0 to 1; of other
            figures it is a share of B's value.
        alpha: probability of finding a difference, or equality, that is not there.
        power: probability of finding the observed difference that the number of pairs still needed is made for.
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


def figure_verdict(found: FigureDifference, p_value: float, rule: Rule, tests: int = 1) -> Verdict:
    """The verdict on A compared with B by one figure.

    A and B are equal if t standard errors around the difference lie inside the margin (Student's t for the number of
    clusters; for measures of 0 and 1 Newcombe's interval), and if enough clusters were seen to know that hardly any
    others differ wholly: with K clusters their share may be up to 1 - (alpha / 2)^(1 / K).

    Args:
        found: the difference.
        p_value: of the difference, corrected for the number of tests.
        rule: margin, level and power.
        tests: how many figures are judged together, as of `verdict`.
    """
    ahead = found.difference if found.better == "higher" else -found.difference
    if found.table is not None:
        word = verdict(found.table, p_value, rule, tests)
        turned: dict[Word, Word] = {"better": "worse", "worse": "better"} if found.better == "lower" else {}
        return Verdict(turned.get(word.word, word.word), word.more)
    if p_value <= rule.alpha and ahead:
        return Verdict("better" if ahead > 0 else "worse")
    if not math.isfinite(found.error) or not found.scale:
        return Verdict("cannot tell")
    alpha, room = rule.alpha / tests, rule.margin - abs(ahead) / found.scale
    error = found.error / found.scale
    if max(_student(1 - alpha / 2, found.clusters - 1) * error, _unseen(alpha, found.clusters)) < room:
        return Verdict("equal")
    wanted = []
    if ahead:
        z = normal_quantile(1 - alpha / 2) + normal_quantile(rule.power)
        wanted.append(found.clusters * (z * found.error / ahead) ** 2)
    if room > 0:
        enough = found.clusters * (normal_quantile(1 - alpha / 2) * error / room) ** 2
        wanted.append(max(enough, math.log(alpha / 2) / math.log1p(-min(room, 0.5))))
    items = min(wanted, default=math.inf) / found.clusters * found.items
    return Verdict("cannot tell", max(1, math.ceil(items - found.items)) if items <= MOST else None)


def _student(probability: float, freedom: int) -> float:
    from scipy.stats import t

    return float(t.ppf(probability, freedom))


def _unseen(alpha: float, clusters: int) -> float:
    """The largest share of clusters of a kind that is missed by this many with probability alpha / 2."""
    return 1.0 - float((alpha / 2) ** (1 / clusters))


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

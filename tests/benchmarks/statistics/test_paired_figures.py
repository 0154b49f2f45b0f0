"""Differences of figures: intervals and p-values against those computed in other ways, and their verdicts."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.stats import permutation_test, ttest_rel

from embodio.benchmarks.statistics.paired import PairedTable, mcnemar_exact, newcombe_interval
from embodio.benchmarks.statistics.paired_figures import FigureDifference, MeasuredPairs, figure_differences, pooled
from embodio.benchmarks.statistics.verdicts import Rule, Verdict, figure_verdict
from embodio.datasets.metrics import named_metric, tally
from embodio.datasets.metrics.parts.metric import MetricError
from embodio.model.tasks.base.text_family import TextItem


def pairs(a: list[float], b: list[float], groups: list[str | int | None] | None = None) -> MeasuredPairs:
    measures = [[{"rouge_l": value} for value in side] for side in (a, b)]
    return MeasuredPairs(named_metric("rouge_l"), *measures, groups or [None] * len(a))


def only(found: MeasuredPairs, draws: int = 2000) -> FigureDifference:
    (one,) = figure_differences(found, draws=draws)
    return one


def test_a_mean_has_the_interval_and_the_p_value_of_its_differences() -> None:
    generator = np.random.default_rng(0)
    a, b = generator.random(200), generator.random(200)
    a += 0.08 * (a < 0.9)
    one = only(pairs(a.tolist(), b.tolist()), draws=4000)
    error = (a - b).std(ddof=1) / 200**0.5
    assert one.difference == pytest.approx((a - b).mean())
    assert one.error == pytest.approx(error, rel=0.03)
    assert one.interval == pytest.approx(((a - b).mean() - 1.96 * error, (a - b).mean() + 1.96 * error), abs=0.006)
    assert one.p_value == pytest.approx(ttest_rel(a, b).pvalue, abs=0.01)
    assert (one.test, one.items, one.clusters, one.table) == ("randomisation", 200, 200, None)


def test_few_clusters_have_an_exact_test() -> None:
    """All 2^6 exchanges of groups, by hand; scipy's test agrees where each item is a group."""
    generator = np.random.default_rng(1)
    a, b = generator.random(12).tolist(), (generator.random(12) * 0.6).tolist()
    groups = [place // 2 for place in range(12)]
    one = only(pairs(a, b, [*groups]))
    by_group = np.add.reduceat(np.subtract(a, b), range(0, 12, 2))
    every = [abs(np.dot(signs, by_group)) for signs in product((1, -1), repeat=6)]
    assert one.p_value == np.mean(np.array(every) >= abs(by_group.sum()) - 1e-12)
    assert (one.test, one.clusters) == ("exact randomisation", 6)
    alone = only(pairs(a[:9], b[:9]))
    theirs = permutation_test((a[:9], b[:9]), lambda x, y: np.mean(x) - np.mean(y), permutation_type="samples")
    assert alone.p_value == pytest.approx(theirs.pvalue)


def test_zeros_and_ones_of_independent_items_have_mcnemars_test() -> None:
    a, b = [1.0] * 9 + [0.0] * 11, [1.0] * 2 + [0.0] * 16 + [1.0] * 2
    one = only(pairs(a, b))
    assert one.table == PairedTable(2, 7, 2, 9)
    assert one.p_value == mcnemar_exact(7, 2) and one.interval == newcombe_interval(PairedTable(2, 7, 2, 9))
    assert only(pairs(a, b, [0, 0, *range(1, 19)])).table is None, "two questions about one picture are not independent"
    twice = only(pairs([*a, *a], [*b, *b], [*range(20)] * 2), draws=4000)
    assert twice.p_value == pytest.approx(mcnemar_exact(7, 2), abs=0.02), "it is a randomisation test"


def test_a_figure_that_is_no_mean() -> None:
    """BLEU: A's answers are right, B's have one word too many."""
    sides = [tally("bleu") for _ in "ab"]
    for place in range(12):
        right = f"a red cup number {place} stands on the small table"
        sides[0].update(TextItem(text=right), TextItem(text=right))
        sides[1].update(TextItem(text=f"{right} here"), TextItem(text=right))
    both = MeasuredPairs(sides[0].metric, sides[0].measures, sides[1].measures, [None] * 12)
    main = figure_differences(both, draws=500)[0]
    assert (main.a, main.b) == tuple(side.result(resamples=2).estimates["bleu_4"].value for side in sides)
    assert main.difference > 0.05 and main.p_value == pytest.approx(1 / 501)
    swapped = figure_differences(MeasuredPairs(both.metric, both.b, both.a, both.groups), draws=500)[0]
    assert swapped.difference == -main.difference


def test_the_mean_over_tasks_draws_shared_images_together() -> None:
    generator = np.random.default_rng(2)
    values = generator.random((4, 30))
    groups = [f"image {place}" for place in range(30)]
    same = only(pooled([pairs(values[0].tolist(), values[1].tolist(), [*groups])] * 2, ["rouge_l"] * 2))
    one = only(pairs(values[0].tolist(), values[1].tolist(), [*groups]))
    assert same.difference == pytest.approx(one.difference) and same.clusters == 30 and same.items == 60
    assert same.interval == pytest.approx(one.interval) and same.p_value == one.p_value
    parts = [pairs(values[0].tolist(), values[1].tolist()), pairs(values[2].tolist(), values[3].tolist())]
    others = only(pooled(parts, ["rouge_l"] * 2))
    assert others.difference == pytest.approx((values[0] - values[1] + values[2] - values[3]).mean() / 2)


def test_nothing_is_an_error() -> None:
    with pytest.raises(MetricError, match="at least one item"):
        pairs([], [])


def found(difference: float, error: float, clusters: int = 100, **changes: object) -> FigureDifference:
    one = FigureDifference(
        "rouge_l", "higher", True, 0.5 + difference, 0.5, (0, 0), error, 0.5, "randomisation", 2 * clusters, clusters
    )
    return replace(one, **changes)  # type: ignore[arg-type]


def test_verdicts() -> None:
    rule = Rule(margin=0.05)
    assert figure_verdict(found(0.1, 0.01), 0.01, rule) == Verdict("better")
    assert figure_verdict(found(0.1, 0.01, better="lower"), 0.01, rule) == Verdict("worse")
    assert figure_verdict(found(0.0, 0.02), 0.5, rule) == Verdict("equal"), "1.984 errors are 0.0397"
    assert figure_verdict(found(0.0, 0.02), 0.5, rule, tests=10).word == "cannot tell"
    assert figure_verdict(found(0.0, 0.0, 72), 1.0, rule) == Verdict("equal"), "1 - 0.025^(1/72) is 0.04995"
    assert figure_verdict(found(0.0, 0.0, 71), 1.0, rule) == Verdict("cannot tell", 2), "one cluster has two items"


def test_how_many_more_items() -> None:
    """((1.96 + 0.8416) 0.05 / 0.1)^2 = 1.9622 times the 100 clusters of two items find the difference."""
    assert figure_verdict(found(0.1, 0.05), 0.06, Rule(margin=0.05)) == Verdict("cannot tell", 193)
    assert figure_verdict(found(0.0, 0.05), 1.0, Rule(margin=0.0)) == Verdict("cannot tell", None)
    assert figure_verdict(found(0.0, float("nan")), 1.0, Rule()) == Verdict("cannot tell", None)


def test_a_figure_without_bounds_is_judged_by_its_size() -> None:
    loud = found(0.4, 0.2, 200, bounded=False, a=20.4, b=20.0)
    assert figure_verdict(loud, 0.05001, Rule(margin=0.05)) == Verdict("equal"), "2% and 2 errors of 1%"
    assert figure_verdict(replace(loud, bounded=True), 0.05001, Rule(margin=0.05)).word == "cannot tell"


def test_measures_of_zero_and_one_are_judged_by_their_table() -> None:
    one = found(0.1, 0.05, table=PairedTable(50, 10, 0, 40))
    assert figure_verdict(one, 0.01, Rule()) == Verdict("better")
    assert figure_verdict(replace(one, better="lower"), 0.01, Rule()) == Verdict("worse")

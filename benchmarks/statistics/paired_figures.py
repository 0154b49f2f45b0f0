"""Figures of two models on the same items: difference, interval by a paired bootstrap, and a randomisation test."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from embodio.benchmarks.statistics.paired import PairedTable, mcnemar_exact, newcombe_interval
from embodio.datasets.metrics.parts.clusters import Clusters, percentile_interval
from embodio.datasets.metrics.parts.metric import (
    Better,
    Combined,
    Doubles,
    MeanMetric,
    MetricError,
    combined_draws,
    higher,
)

Bools = npt.NDArray[np.bool_]
Test = Literal["exact McNemar", "randomisation", "exact randomisation", "none"]


class Combines(Protocol):
    """What makes figures of measures: a metric, or the mean over several tasks."""

    @property
    def figures(self) -> Mapping[str, Better]:
        """Name of each figure -> which values are better."""

    @property
    def unbounded(self) -> Sequence[str]:
        """The figures that do not lie between 0 and 1."""

    @property
    def resampled(self) -> bool:
        """Whether there are intervals and tests."""

    def combine(self, measures: Sequence[Any], weights: Doubles) -> Combined:
        """The figures of N measures, with weights float64 [R, N] of them."""


@dataclass(frozen=True)
class MeasuredPairs:
    """Measures of the answers of A and B to the same items.

    Attributes:
        metric: combines the measures.
        a: A's measure of each item.
        b: B's.
        groups: of the items.
    """

    metric: Combines
    a: Sequence[Any]
    b: Sequence[Any]
    groups: Sequence[Hashable]

    def __post_init__(self) -> None:
        if not self.a:
            raise MetricError("there is nothing to compare: a metric needs at least one item")

    def of_side(self, side: int, weights: Doubles) -> Combined:
        """The figures of A (side 0) or B (side 1), with weights float64 [R, N] of the items."""
        return self.metric.combine(self.b if side else self.a, weights)

    def swapped(self, swaps: Bools) -> tuple[Combined, Combined]:
        """The figures of A and of B where some items, bool [R, N], are exchanged between them.

        Both are combined from the measures of both.
        """
        measures = [*self.a, *self.b]
        kept, taken = (~swaps).astype(np.float64), swaps.astype(np.float64)
        sides = [self.metric.combine(measures, np.hstack(pair)) for pair in ((kept, taken), (taken, kept))]
        return sides[0], sides[1]

    def outcomes(self, figure: str) -> list[tuple[bool, bool]] | None:
        """The measures of A and B of each item where all are 0 or 1 and the figure is their mean; None elsewhere."""
        if not isinstance(self.metric, MeanMetric):
            return None
        sides = [[one[figure] for one in measures] for measures in (self.a, self.b)]
        if not set(sides[0]) | set(sides[1]) <= {0.0, 1.0}:
            return None
        return [(bool(a), bool(b)) for a, b in zip(*sides, strict=True)]


@dataclass(frozen=True)
class MeanOverTasks:
    """The mean over tasks of their main figures; a measure is the number of a task and a measure of its metric.

    Attributes:
        tasks: what combines the measures of each task.
        mains: the main figure of each task, which lies between 0 and 1 and is better if higher.
    """

    figures: ClassVar[Mapping[str, Better]] = higher("mean over tasks")
    unbounded: ClassVar[Sequence[str]] = ()

    tasks: Sequence[Combines]
    mains: Sequence[str]

    @property
    def resampled(self) -> bool:
        """Whether all tasks are."""
        return all(task.resampled for task in self.tasks)

    def combine(self, measures: Sequence[tuple[int, Any]], weights: Doubles) -> Combined:
        """The mean; NaN in a draw without any item of a task."""
        of_task = np.array([task for task, _ in measures])
        found = []
        for number, (task, main) in enumerate(zip(self.tasks, self.mains, strict=True)):
            own = np.flatnonzero(of_task == number)
            found.append(combined_draws(task.combine, [measures[place][1] for place in own], weights[:, own])[main])
        return dict.fromkeys(self.figures, np.mean(found, axis=0))


def pooled(parts: Sequence[MeasuredPairs], mains: Sequence[str]) -> MeasuredPairs:
    """The pairs of several tasks, compared by the mean over their main figures.

    Args:
        parts: the pairs of each task; items of several tasks may have one group, such as an image.
        mains: the main figure of each task.
    """
    a = [(number, one) for number, part in enumerate(parts) for one in part.a]
    b = [(number, one) for number, part in enumerate(parts) for one in part.b]
    groups = [group for part in parts for group in part.groups]
    return MeasuredPairs(MeanOverTasks([part.metric for part in parts], mains), a, b, groups)


@dataclass(frozen=True)
class FigureDifference:
    """One figure of A and B.

    Attributes:
        figure: its name.
        better: whether higher or lower values are better.
        bounded: whether it lies between 0 and 1.
        a: A's value; NaN where it is undefined.
        b: B's.
        interval: of A minus B; None with fewer than two clusters, or where the metric has no intervals.
        error: standard error of A minus B; NaN where there is no interval.
        p_value: of A and B being equally good; 1 without a test.
        test: which test it is from.
        items: number of pairs.
        clusters: groups of items that were drawn together.
        table: counts of pairs, where each item has a group of its own and the measures are 0 or 1; then the interval
            is Newcombe's.
    """

    figure: str
    better: Better
    bounded: bool
    a: float
    b: float
    interval: tuple[float, float] | None
    error: float
    p_value: float
    test: Test
    items: int
    clusters: int
    table: PairedTable | None = None

    @property
    def difference(self) -> float:
        """A minus B."""
        return self.a - self.b

    @property
    def scale(self) -> float:
        """What differences are shares of: 1, or the size of B's value for a figure without bounds."""
        return 1.0 if self.bounded else abs(self.b)


def figure_differences(
    pairs: MeasuredPairs, *, draws: int, seed: int = 0, level: float = 0.95
) -> list[FigureDifference]:
    """Compares A and B by each figure.

    The interval is the percentile interval of a paired bootstrap over clusters of items (Efron and Tibshirani, 1993).
    The test exchanges the answers of A and B in whole clusters: if A and B were equally good, each exchange would be as
    likely as what was found (Fisher's randomisation test). Measures of 0 and 1 of independent items have the exact
    McNemar test, which is the same test, and Newcombe's interval.

    Args:
        pairs: measures of both.
        draws: of the bootstrap, and exchanges of the test; with fewer possible exchanges the test is exact.
        seed: of the draws.
        level: of the intervals.
    """
    clusters, metric = Clusters.of(pairs.groups), pairs.metric
    everything = np.ones((1, len(pairs.groups)))
    sides = [pairs.of_side(side, everything) for side in (0, 1)]
    spread = _bootstrap(pairs, clusters, draws, seed) if clusters.count > 1 and metric.resampled else {}
    p_values = _randomisation(pairs, clusters, draws, seed) if metric.resampled else dict.fromkeys(metric.figures, 1.0)
    found = []
    for name, better in metric.figures.items():
        drawn = spread.get(name, np.array([]))
        drawn = drawn[np.isfinite(drawn)]
        interval = percentile_interval(drawn, level)
        error = float(drawn.std() * math.sqrt(clusters.count / (clusters.count - 1))) if len(drawn) else math.nan
        outcomes = pairs.outcomes(name) if clusters.count == len(pairs.groups) else None
        table = None if outcomes is None else PairedTable.of(outcomes)
        p_value: float = p_values[name]
        test: Test = "exact randomisation" if clusters.all_ways(draws) else "randomisation"
        test = test if metric.resampled else "none"
        if table is not None:
            interval, test = newcombe_interval(table, level), "exact McNemar"
            p_value = mcnemar_exact(int(table.only_a), int(table.only_b))
        values = [float(side[name][0]) for side in sides]
        found.append(
            FigureDifference(
                name, better, name not in metric.unbounded, values[0], values[1], interval, error, p_value, test,
                len(pairs.groups), clusters.count, table,
            )
        )  # fmt: skip
    return found


def _bootstrap(pairs: MeasuredPairs, clusters: Clusters, draws: int, seed: int) -> Combined:
    """Figure -> A minus B of each draw, float64 [R]."""
    blocks = []
    for weights in clusters.resampled(draws, seed):
        a, b = (pairs.of_side(side, weights) for side in (0, 1))
        blocks.append({name: a[name] - b[name] for name in pairs.metric.figures})
    return {name: np.concatenate([block[name] for block in blocks]) for name in pairs.metric.figures}


def _randomisation(pairs: MeasuredPairs, clusters: Clusters, draws: int, seed: int) -> dict[str, float]:
    """Figure -> two-sided p-value; 1 for an undefined figure."""
    unchanged = _gaps(pairs, np.zeros((1, len(pairs.groups)), dtype=bool))
    as_far, ways = dict.fromkeys(pairs.metric.figures, 0), 0
    for swaps in clusters.swapped(draws, seed):
        gaps, ways = _gaps(pairs, swaps), ways + len(swaps)
        for name in pairs.metric.figures:
            seen = abs(float(unchanged[name][0]))
            as_far[name] += int((np.abs(gaps[name]) >= seen - 1e-12 * max(1.0, seen)).sum())
    own = 0 if clusters.all_ways(draws) else 1  # what was found counts as one of the random exchanges
    return {
        name: (count + own) / (ways + own) if np.isfinite(unchanged[name][0]) else 1.0 for name, count in as_far.items()
    }


def _gaps(pairs: MeasuredPairs, swaps: Bools) -> dict[str, Doubles]:
    a, b = pairs.swapped(swaps)
    return {name: a[name] - b[name] for name in pairs.metric.figures}

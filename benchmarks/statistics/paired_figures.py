"""Figures of two models on the same items: difference, interval by a paired bootstrap, and a randomisation test."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from embodio.benchmarks.statistics.paired import PairedTable, mcnemar_exact, newcombe_interval
from embodio.datasets.metrics.parts.clusters import Clusters
from embodio.datasets.metrics.parts.metric import Better, Combined, Doubles, MeanMetric, Metric, MetricError

Bools = npt.NDArray[np.bool_]
_MEAN = "mean over tasks"
Test = Literal["exact McNemar", "randomisation", "exact randomisation"]


class Paired(Protocol):
    """Items that A and B have both answered, and figures over them."""

    @property
    def groups(self) -> Sequence[Hashable]:
        """The group of each of the N items."""

    @property
    def figures(self) -> Mapping[str, Better]:
        """Name of each figure -> which values are better."""

    @property
    def unbounded(self) -> Sequence[str]:
        """The figures that do not lie between 0 and 1."""

    def of_side(self, side: int, weights: Doubles) -> Combined:
        """The figures of A (side 0) or B (side 1), with weights float64 [R, N] of the items."""

    def swapped(self, swaps: Bools) -> tuple[Combined, Combined]:
        """The figures of A and of B where some items, bool [R, N], are exchanged between them."""

    def outcomes(self, figure: str) -> list[tuple[bool, bool]] | None:
        """The measures of A and B of each item where all are 0 or 1 and the figure is their mean; None elsewhere."""


@dataclass(frozen=True)
class MeasuredPairs:
    """Measures of one metric of the answers of A and B to the same items.

    Attributes:
        metric: combines the measures.
        a: A's measure of each item.
        b: B's.
        groups: of the items.
    """

    metric: Metric[Any]
    a: Sequence[Any]
    b: Sequence[Any]
    groups: Sequence[Hashable]

    def __post_init__(self) -> None:
        if not self.a:
            raise MetricError("there is nothing to compare: a metric needs at least one item")

    @property
    def figures(self) -> Mapping[str, Better]:
        """Those of the metric."""
        return self.metric.figures

    @property
    def unbounded(self) -> Sequence[str]:
        """Those of the metric."""
        return self.metric.unbounded

    def of_side(self, side: int, weights: Doubles) -> Combined:
        """The figures of A or B."""
        return self.metric.combine(self.b if side else self.a, weights)

    def swapped(self, swaps: Bools) -> tuple[Combined, Combined]:
        """The figures of A and B with items exchanged; both are combined from the measures of both."""
        measures = [*self.a, *self.b]
        kept, taken = (~swaps).astype(np.float64), swaps.astype(np.float64)
        sides = [self.metric.combine(measures, np.hstack(pair)) for pair in ((kept, taken), (taken, kept))]
        return sides[0], sides[1]

    def outcomes(self, figure: str) -> list[tuple[bool, bool]] | None:
        """The measures as true and false."""
        if not isinstance(self.metric, MeanMetric):
            return None
        sides = [[one[figure] for one in measures] for measures in (self.a, self.b)]
        if not set(sides[0]) | set(sides[1]) <= {0.0, 1.0}:
            return None
        return [(bool(a), bool(b)) for a, b in zip(*sides, strict=True)]


@dataclass(frozen=True)
class PooledPairs:
    """The mean over tasks of their main figures.

    Attributes:
        parts: the pairs of each task; items of several tasks may have one group, such as an image.
    """

    parts: Sequence[MeasuredPairs]

    @property
    def figures(self) -> Mapping[str, Better]:
        """The mean."""
        return {_MEAN: "higher"}

    @property
    def unbounded(self) -> Sequence[str]:
        """None: it lies between 0 and 1."""
        return ()

    @property
    def groups(self) -> Sequence[Hashable]:
        """The groups of all tasks one after the other."""
        return [group for part in self.parts for group in part.groups]

    def of_side(self, side: int, weights: Doubles) -> Combined:
        """The mean of the tasks' figures; NaN in a draw without any item of a task."""
        found = []
        for part, own in self._sliced(weights):
            none = own.sum(axis=1, keepdims=True) == 0
            drawn = part.of_side(side, np.where(none, 1.0, own))
            found.append({name: np.where(none[:, 0], np.nan, values) for name, values in drawn.items()})
        return _mean(found, self.parts)

    def swapped(self, swaps: Bools) -> tuple[Combined, Combined]:
        """The means with items exchanged."""
        found = [part.swapped(own) for part, own in self._sliced(swaps)]
        return _mean([a for a, _ in found], self.parts), _mean([b for _, b in found], self.parts)

    def outcomes(self, figure: str) -> None:
        """None: the items of several tasks do not weigh the same."""

    def _sliced(self, table: npt.NDArray[Any]) -> list[tuple[MeasuredPairs, npt.NDArray[Any]]]:
        ends = np.cumsum([len(part.a) for part in self.parts])[:-1]
        return list(zip(self.parts, np.split(table, ends, axis=1), strict=True))


def _mean(found: Sequence[Combined], parts: Sequence[MeasuredPairs]) -> Combined:
    mains = [one[next(iter(part.figures))] for one, part in zip(found, parts, strict=True)]
    return {_MEAN: np.mean(mains, axis=0)}


@dataclass(frozen=True)
class FigureDifference:
    """One figure of A and B.

    Attributes:
        figure: its name.
        better: whether higher or lower values are better.
        bounded: whether it lies between 0 and 1.
        a: A's value; NaN where it is undefined.
        b: B's.
        interval: of A minus B; None with fewer than two clusters.
        error: standard error of A minus B; NaN with fewer than two clusters.
        p_value: of A and B being equally good.
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


def figure_differences(pairs: Paired, *, draws: int, seed: int = 0, level: float = 0.95) -> list[FigureDifference]:
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
    clusters = Clusters.of(pairs.groups)
    everything = np.ones((1, len(pairs.groups)))
    sides = [pairs.of_side(side, everything) for side in (0, 1)]
    spread = _bootstrap(pairs, clusters, draws, seed) if clusters.count > 1 else {}
    p_values = _randomisation(pairs, clusters, draws, seed)
    found = []
    for name, better in pairs.figures.items():
        drawn = spread.get(name, np.array([]))
        drawn = drawn[np.isfinite(drawn)]
        tails = [(1 - level) / 2, (1 + level) / 2]
        ends = np.quantile(drawn, tails).tolist() if len(drawn) else None
        error = float(drawn.std() * math.sqrt(clusters.count / (clusters.count - 1))) if len(drawn) else math.nan
        outcomes = pairs.outcomes(name) if clusters.count == len(pairs.groups) else None
        table = None if outcomes is None else PairedTable.of(outcomes)
        interval = None if ends is None else (ends[0], ends[1])
        p_value: float = p_values[name]
        test: Test = "exact randomisation" if clusters.all_ways(draws) else "randomisation"
        if table is not None:
            interval, test = newcombe_interval(table, level), "exact McNemar"
            p_value = mcnemar_exact(int(table.only_a), int(table.only_b))
        values = [float(side[name][0]) for side in sides]
        found.append(
            FigureDifference(
                name, better, name not in pairs.unbounded, values[0], values[1], interval, error, p_value, test,
                len(pairs.groups), clusters.count, table,
            )
        )  # fmt: skip
    return found


def _bootstrap(pairs: Paired, clusters: Clusters, draws: int, seed: int) -> Combined:
    """Figure -> A minus B of each draw, float64 [R]."""
    blocks = []
    for weights in clusters.resampled(draws, seed):
        a, b = (pairs.of_side(side, weights) for side in (0, 1))
        blocks.append({name: a[name] - b[name] for name in pairs.figures})
    return {name: np.concatenate([block[name] for block in blocks]) for name in pairs.figures}


def _randomisation(pairs: Paired, clusters: Clusters, draws: int, seed: int) -> dict[str, float]:
    """Figure -> two-sided p-value; 1 for an undefined figure."""
    unchanged = _gaps(pairs, np.zeros((1, len(pairs.groups)), dtype=bool))
    as_far, ways = dict.fromkeys(pairs.figures, 0), 0
    for swaps in clusters.swapped(draws, seed):
        gaps, ways = _gaps(pairs, swaps), ways + len(swaps)
        for name in pairs.figures:
            seen = abs(float(unchanged[name][0]))
            as_far[name] += int((np.abs(gaps[name]) >= seen - 1e-12 * max(1.0, seen)).sum())
    own = 0 if clusters.all_ways(draws) else 1  # what was found counts as one of the random exchanges
    return {
        name: (count + own) / (ways + own) if np.isfinite(unchanged[name][0]) else 1.0 for name, count in as_far.items()
    }


def _gaps(pairs: Paired, swaps: Bools) -> dict[str, Doubles]:
    a, b = pairs.swapped(swaps)
    return {name: a[name] - b[name] for name in pairs.figures}

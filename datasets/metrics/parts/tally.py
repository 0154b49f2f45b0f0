"""Tally: the measures of the items of an evaluation, and the figures of a metric over them with intervals."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np

from embodio.datasets.metrics.parts.clusters import Clusters, percentile_interval
from embodio.datasets.metrics.parts.metric import A, Better, Combined, Doubles, Metric, MetricError
from embodio.model.tasks.errors import AnswerError

RESAMPLES = 1000


@dataclass(frozen=True)
class Estimate:
    """A figure.

    Attributes:
        value: over all items; NaN where it is undefined.
        low: lower end of the interval; None with fewer than two clusters, or where the metric has no intervals.
        high: upper end.
        better: whether higher or lower values are better.
    """

    value: float
    low: float | None
    high: float | None
    better: Better

    def __str__(self) -> str:
        """The value, with the interval in brackets."""
        if self.low is None or self.high is None:
            return f"{self.value:.4g}"
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


@dataclass(frozen=True)
class Figures:
    """The figures of a metric.

    Attributes:
        estimates: name -> estimate; the first one is the main figure.
        items: items measured.
        clusters: groups of items that are drawn together for the intervals.
        unreadable: answers that could not be read, which count as wrong.
    """

    estimates: Mapping[str, Estimate]
    items: int
    clusters: int
    unreadable: int


class Tally(Generic[A]):
    """Adds up the answers of an evaluation by one metric.

    scores = Tally(named_metric("exact_match"))
    scores.update(answer, annotation, group="image-7")
    scores.result().estimates["exact_match"]

    Args:
        metric: measures and combines.
    """

    def __init__(self, metric: Metric[A]) -> None:
        self.metric = metric
        self.measures: list[Any] = []
        self._groups: list[Hashable] = []
        self._unreadable = 0

    def update(self, found: A | AnswerError, truth: A, *, group: Hashable = None) -> Any:
        """Measures an answer and returns the measure.

        Args:
            found: the answer; an AnswerError counts as wrong.
            truth: the annotation.
            group: items of one group, such as the questions about one image, are drawn together for the intervals;
                None for an item on its own.

        Raises:
            MetricError: the annotation has no answer, or the shapes differ.
        """
        unreadable = isinstance(found, AnswerError)
        measure = self.metric.measure(None if isinstance(found, AnswerError) else found, truth)
        self.add(measure, group=group, unreadable=unreadable)
        return measure

    def add(self, measure: Any, *, group: Hashable = None, unreadable: bool = False) -> None:
        """Adds a measure that was taken before, such as one read from a file."""
        self._groups.append(group)
        self.measures.append(measure)
        self._unreadable += unreadable

    def scores(self) -> Doubles:
        """The main figure of each item alone, float64 [N]; raises MetricError without items."""
        self._require_some()
        return self.metric.scores(self.measures)

    def result(self, *, resamples: int = RESAMPLES, level: float = 0.95, seed: int = 0) -> Figures:
        """The figures with percentile bootstrap intervals over clusters of items (Efron and Tibshirani, 1993).

        Args:
            resamples: number of draws.
            level: share of the draws between the ends of an interval.
            seed: of the draws.

        Raises:
            MetricError: there are no items.
        """
        self._require_some()
        values = self.metric.combine(self.measures, np.ones((1, len(self.measures))))
        clusters = Clusters.of(self._groups)
        drawn = self._drawn(clusters, resamples, seed) if clusters.count > 1 and self.metric.resampled else {}
        estimates = {}
        for name, better in self.metric.figures.items():
            low, high = percentile_interval(drawn.get(name, np.array([])), level) or (None, None)
            estimates[name] = Estimate(float(values[name][0]), low, high, better)
        return Figures(estimates, len(self.measures), clusters.count, self._unreadable)

    def _drawn(self, clusters: Clusters, resamples: int, seed: int) -> Combined:
        """The figures of each draw of clusters with replacement."""
        blocks = [self.metric.combine(self.measures, weights) for weights in clusters.resampled(resamples, seed)]
        return {name: np.concatenate([block[name] for block in blocks]) for name in self.metric.figures}

    def _require_some(self) -> None:
        if not self.measures:
            raise MetricError("there is nothing to measure: a metric needs at least one item")

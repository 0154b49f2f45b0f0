"""The interface of a metric: measures one answer, and combines the measures of any choice of items.

Bootstrap intervals need the same figure over many choices of the same items. So a metric has no state: it turns each
answer into a small measure of plain values, which can be written to JSON, and combines measures with a weight for each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import DatasetError

Better = Literal["higher", "lower"]
Doubles = npt.NDArray[np.float64]
Combined = Mapping[str, Doubles]
"""Figure -> float64 [R], one value for each row of weights; NaN where it is undefined."""

A = TypeVar("A")


def higher(*names: str) -> dict[str, Better]:
    """Figures of which higher values are better."""
    return dict.fromkeys(names, "higher")


def lower(*names: str) -> dict[str, Better]:
    """Figures of which lower values are better."""
    return dict.fromkeys(names, "lower")


class MetricError(DatasetError):
    """Nothing to measure, an annotation without what the metric reads, or answers of a wrong shape."""


class Metric(ABC, Generic[A]):
    """A metric without state; `A` is the class of annotations that it compares.

    Attributes:
        figures: name of each figure -> which values are better; the first one is the main figure.
        reads: the fields of annotations that are compared.
        resampled: whether figures of items drawn again and again make sense, so that there are intervals and tests.
        unbounded: the figures that do not lie between 0 and 1, such as those in degrees or decibels.
    """

    figures: ClassVar[Mapping[str, Better]]
    reads: ClassVar[tuple[str, ...]]
    resampled: ClassVar[bool] = True
    unbounded: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def measure(self, found: A | None, truth: A) -> Any:
        """The measure of one answer, of numbers, texts, lists and mappings.

        Args:
            found: the answer; None for one that could not be read, which counts as wrong.
            truth: the annotation.

        Raises:
            MetricError: the annotation has no answer, or the shapes differ.
        """

    @abstractmethod
    def combine(self, measures: Sequence[Any], weights: Doubles) -> Combined:
        """The figures over items.

        Args:
            measures: of N items, at least one.
            weights: float64 [R, N], at least 0: how often each item counts, in R choices of the items.
        """

    @abstractmethod
    def scores(self, measures: Sequence[Any]) -> Doubles:
        """The main figure of each item alone, float64 [N]; NaN where it has none."""


class MeanMetric(Metric[A]):
    """A metric whose figures are means over items; a measure is a number for each figure."""

    def combine(self, measures: Sequence[Mapping[str, float]], weights: Doubles) -> Combined:
        """Weighted means."""
        table = np.array([[one[name] for name in self.figures] for one in measures], dtype=np.float64)
        means = weights @ table / weights.sum(axis=1, keepdims=True)
        return {name: means[:, column] for column, name in enumerate(self.figures)}

    def scores(self, measures: Sequence[Mapping[str, float]]) -> Doubles:
        """The main figure."""
        main = next(iter(self.figures))
        return np.array([one[main] for one in measures], dtype=np.float64)


class SumsMetric(Metric[A]):
    """A metric computed from sums over all items, such as a ratio of sums; a measure is a list of K addends."""

    @abstractmethod
    def of_sums(self, sums: Doubles) -> Combined:
        """The figures of sums float64 [R, K]."""

    def combine(self, measures: Sequence[Sequence[float]], weights: Doubles) -> Combined:
        """The figures of weighted sums."""
        return self.of_sums(weights @ np.array(measures, dtype=np.float64))

    def scores(self, measures: Sequence[Sequence[float]]) -> Doubles:
        """The main figure of each item's own addends."""
        return self.of_sums(np.array(measures, dtype=np.float64))[next(iter(self.figures))]


def combined_draws(
    combine: Callable[[Sequence[Any], Doubles], Combined], measures: Sequence[Any], weights: Doubles
) -> Combined:
    """The figures of draws from which some items may be missing: NaN where none of these was drawn.

    Args:
        combine: of a metric.
        measures: of N items.
        weights: float64 [R, N], how often each item was drawn; rows may be all 0.
    """
    none = weights.sum(axis=1, keepdims=True) == 0
    found = combine(measures, np.where(none, 1.0, weights))
    return {name: np.where(none[:, 0], np.nan, values) for name, values in found.items()}


def given(annotation: Any, field: str) -> Any:
    """A field of an annotation; raises MetricError if it is missing or None."""
    value = getattr(annotation, field, None)
    if value is None:
        raise MetricError(f"{type(annotation).__name__}.{field} is not set; an annotation to compare with needs it")
    return value


def same_shape(found: npt.NDArray[Any], truth: npt.NDArray[Any], field: str) -> None:
    """Raises MetricError if an answer does not have the shape of the annotation."""
    if found.shape != truth.shape:
        raise MetricError(f"{field}: the answer has the shape {found.shape}, the annotation {truth.shape}")


def ratio(above: npt.ArrayLike, below: npt.ArrayLike) -> Doubles:
    """Quotients, float64; NaN where the divisor is 0."""
    top, bottom = np.broadcast_arrays(np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64))
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0)


def mean_of_known(table: Doubles) -> Doubles:
    """Means of the rows of [R, K] over what is not NaN, float64 [R]; NaN where nothing is known."""
    known = np.isfinite(table)
    return ratio(np.where(known, table, 0).sum(axis=1), known.sum(axis=1))

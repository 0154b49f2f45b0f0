"""Distances of two sets of features: Frechet distance of Gaussians, and kernel distance (MMD)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.metrics.parts.embedding import EmbeddingMetric, packed, unpacked
from embodio.datasets.metrics.parts.metric import A, Combined, Doubles, MetricError


class DistributionMetric(EmbeddingMetric[A]):
    """The distance of the features of all answers from those of all annotations; it has no interval.

    A bootstrap of it would be biased, as drawing items again makes both sets look narrower than they are.
    """

    def measured(self, found: Any, truth: Any) -> list[Any]:
        """The features of an answer and of an annotation, for JSON."""
        return [packed(self.features(found)), packed(self.features(truth))]

    def distances(self, found: Doubles, truth: Doubles) -> Sequence[float]:
        """The figures, of features [N, D] and [M, D]."""
        return [frechet_distance(found, truth), kernel_distance(found, truth)]

    def combine(self, measures: Sequence[list[Any]], weights: Doubles) -> Combined:
        """The figures of each choice of items.

        Raises:
            MetricError: there are fewer than two rows of features on a side, or their widths differ.
        """
        tables = [[unpacked(one[side]) for one in measures] for side in (0, 1)]
        if len({one.shape[1] for table in tables for one in table}) != 1:
            raise MetricError("embed: the features have different widths; a network gives equally many for all")
        rows = []
        for row in weights.astype(int).tolist():
            sets = [np.concatenate([table[place] for place in np.repeat(range(len(row)), row)]) for table in tables]
            if min(map(len, sets)) < 2:
                raise MetricError("the distance of two sets needs at least two items on each side")
            rows.append(self.distances(*sets))
        return {name: np.array(values) for name, values in zip(self.figures, zip(*rows, strict=True), strict=True)}

    def scores(self, measures: Sequence[list[Any]]) -> Doubles:
        """How far the mean features of each answer are from those of its annotation."""
        pairs = [[unpacked(side).mean(axis=0) for side in one] for one in measures]
        return np.array([float(np.square(found - truth).sum()) for found, truth in pairs])


def frechet_distance(one: Doubles, other: Doubles) -> float:
    """The Frechet distance of the Gaussians of two sets of features (Heusel et al., arXiv 1706.08500, equation 6).

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) with unbiased covariances C = X'X, X the centred features / sqrt(N - 1);
    the trace of the root is the sum of the singular values of X1 X2', so that it needs no square root of a matrix.

    Args:
        one: float64 [N, D], at least two rows.
        other: float64 [M, D], at least two rows.
    """
    means = [table.mean(axis=0) for table in (one, other)]
    centred = [(table - mean) / np.sqrt(len(table) - 1) for table, mean in zip((one, other), means, strict=True)]
    factors = [_factor(table) for table in centred]
    cross = float(np.linalg.svd(factors[0] @ factors[1].T, compute_uv=False).sum())
    spread = sum(float(np.square(table).sum()) for table in centred)
    return float(np.square(means[0] - means[1]).sum()) + spread - 2 * cross


def _factor(table: Doubles) -> npt.NDArray[np.float64]:
    """A matrix F [K, D] with F'F = X'X of X [N, D] and K at most D."""
    return table if len(table) <= table.shape[1] else np.linalg.qr(table).R


def kernel_distance(one: Doubles, other: Doubles) -> float:
    """The squared maximum mean discrepancy with the kernel (x y / D + 1)^3, unbiased (arXiv 1801.01401, section 4)."""
    width = one.shape[1]

    def kernel(left: Doubles, right: Doubles) -> Doubles:
        return np.asarray((left @ right.T / width + 1) ** 3)

    within = []
    for table in (one, other):
        own = kernel(table, table)
        within.append((own.sum() - np.trace(own)) / (len(table) * (len(table) - 1)))
    return float(sum(within) - 2 * kernel(one, other).mean())

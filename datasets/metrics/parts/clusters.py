"""Clusters: items that are not independent, such as questions about one image, drawn or swapped together."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.datasets.metrics.parts.metric import Doubles

_CELLS = 4_000_000  # of a block of weights, which bounds memory


@dataclass(frozen=True)
class Clusters:
    """The clusters of some items.

    Attributes:
        numbers: int64 [N], the cluster of each item, from 0 on.
        count: number of clusters, K.
    """

    numbers: npt.NDArray[np.int64]
    count: int

    @classmethod
    def of(cls, groups: Sequence[Hashable]) -> Clusters:
        """The clusters of items by the names of their groups; an item without one (None) is on its own."""
        keys = [("item", place) if group is None else group for place, group in enumerate(groups)]
        known = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        return cls(np.array([known[key] for key in keys], dtype=np.int64), len(known))

    def resampled(self, draws: int, seed: int) -> Iterator[Doubles]:
        """How often each item counts in draws of K clusters with replacement, float64 [R, N] in blocks of draws."""
        generator = np.random.default_rng(seed)
        for size in self._blocks(draws):
            counts = generator.multinomial(self.count, np.full(self.count, 1 / self.count), size=size)
            yield counts.astype(np.float64)[:, self.numbers]

    def swapped(self, draws: int, seed: int) -> Iterator[npt.NDArray[np.bool_]]:
        """Which items are swapped where each cluster is with probability 1/2, bool [R, N] in blocks of draws.

        Where there are at most `draws` ways to do so, each of them is given once.
        """
        generator = np.random.default_rng(seed)
        ways = 2**self.count if self.all_ways(draws) else draws
        done = 0
        for size in self._blocks(ways):
            if self.all_ways(draws):
                chosen = (np.arange(done, done + size)[:, None] >> np.arange(self.count)) & 1 == 1
            else:
                chosen = generator.random((size, self.count)) < 0.5
            done += size
            yield chosen[:, self.numbers]

    def all_ways(self, draws: int) -> bool:
        """Whether `swapped` gives every way to swap."""
        return 2**self.count <= draws

    def _blocks(self, draws: int) -> Iterator[int]:
        """The sizes of blocks of draws."""
        rows = max(1, _CELLS // max(1, len(self.numbers)))
        for start in range(0, draws, rows):
            yield min(rows, draws - start)


def percentile_interval(drawn: Doubles, level: float = 0.95) -> tuple[float, float] | None:
    """The interval of a figure by its values in draws of clusters (Efron and Tibshirani, 1993).

    Args:
        drawn: float64 [R]; NaN where the figure is undefined.
        level: share of the draws between the ends.

    Returns:
        The lower and the upper end; None where no draw defines the figure.
    """
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return None
    tail = (1 - level) / 2
    low, high = np.quantile(known, [tail, 1 - tail]).tolist()
    return low, high

"""QuantileSketch: mergeable quantiles of any number of values in bounded memory, with a bounded error."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

CAPACITY = 1 << 16


class QuantileSketch:
    """Quantiles of vectors, dimension by dimension: exact for up to `capacity` vectors, then within a known error.

    Level h holds values that represent 2^h values each. A full level is sorted and every second value moves up a
    level, which moves the rank of any value by at most 2^h (Manku, Rajagopalan and Lindsay, 1998; KLL, 2016, without
    the coin: the half that is kept alternates). So N values have ranks within N * log2(N / capacity) / capacity at
    worst; `rank_error` is the bound for the actual merges. Nothing is random: the same input gives the same sketch.

    Args:
        capacity: values on a level, an even number.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._levels: list[list[npt.NDArray[np.float32]]] = []
        self._odd: list[bool] = []
        self._error = 0

    @property
    def rank_error(self) -> int:
        """The largest error of a quantile in ranks; 0 while all values are held."""
        return self._error

    @property
    def held(self) -> int:
        """Number of vectors held."""
        return sum(len(array) for level in self._levels for array in level)

    def update(self, values: npt.NDArray[np.float32]) -> None:
        """Adds a batch, float32 [N, D]."""
        for start in range(0, len(values), self._capacity):
            self._add(0, values[start : start + self._capacity])

    def merge(self, other: QuantileSketch) -> None:
        """Adds all that another sketch has seen; the bounds of the errors add up."""
        self._error += other._error
        for height, level in enumerate(other._levels):
            for array in level:
                self._add(height, array)

    def quantiles(self, shares: tuple[float, ...]) -> npt.NDArray[np.float64]:
        """The quantiles, float64 [shares, D]; between two values it is interpolated, as NumPy does."""
        values = np.concatenate([array for level in self._levels for array in level]).astype(np.float64)
        if not self._error and len(self._levels) == 1:
            exact: npt.NDArray[np.float64] = np.quantile(values, shares, axis=0)
            return exact
        weights = np.concatenate(
            [np.full(sum(map(len, level)), 2.0**height) for height, level in enumerate(self._levels)]
        )
        columns = []
        for column in values.T:
            order = np.argsort(column, kind="stable")
            middle = np.cumsum(weights[order]) - weights[order] / 2
            columns.append(np.interp(np.array(shares) * weights.sum(), middle, column[order]))
        return np.stack(columns, axis=1)

    def _add(self, height: int, values: npt.NDArray[np.float32]) -> None:
        while height >= len(self._levels):
            self._levels.append([])
            self._odd.append(False)
        level = self._levels[height]
        level.append(np.array(values, dtype=np.float32))
        if sum(map(len, level)) <= self._capacity:
            return
        ordered = np.sort(np.concatenate(level), axis=0)
        even = len(ordered) // 2 * 2
        self._levels[height] = [ordered[even:]] if even < len(ordered) else []
        kept = ordered[int(self._odd[height]) : even : 2]
        self._odd[height] = not self._odd[height]
        self._error += 1 << height
        self._add(height + 1, kept)

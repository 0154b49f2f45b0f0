"""Statistics of the numeric fields of a data set, from one pass over its episodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import DatasetError
from embodio.datasets.rlds.episode import Episode
from embodio.datasets.rlds.features import TensorFeature
from embodio.datasets.rlds.reader import RLDSReader
from embodio.model.statistics import DatasetStatistics, FieldStatistics

_ACTION_FIELDS = ("action", "expert_action")
_STATE_FIELD = "state"


class FieldAccumulator:
    """Gathers the statistics of one vector of numbers, batch by batch.

    Mean and variance are updated by the pairwise rule of Chan, Golub and LeVeque (1983), so batches and accumulators
    may be merged in any grouping without loss of precision. Values are kept, at 4 bytes each, for exact quantiles.
    """

    def __init__(self) -> None:
        """Begins with nothing."""
        self._count = 0
        self._mean: npt.NDArray[np.float64] = np.zeros(0)
        self._squares: npt.NDArray[np.float64] = np.zeros(0)  # sum of squared differences from the mean
        self._batches: list[npt.NDArray[np.float32]] = []

    def update(self, values: npt.NDArray[np.float32]) -> None:
        """Adds a batch, float32 [N, D].

        Raises:
            DatasetError: a value is not finite.
        """
        if not len(values):
            return
        if not np.isfinite(values).all():
            raise DatasetError("values that are not finite have no statistics. Collect the data set again")
        exact = values.astype(np.float64)
        mean = exact.mean(axis=0)
        self._add(len(exact), mean, np.square(exact - mean).sum(axis=0))
        self._batches.append(values.astype(np.float32))

    def merge(self, other: FieldAccumulator) -> None:
        """Adds all that another accumulator has seen."""
        self._add(other._count, other._mean, other._squares)
        self._batches.extend(other._batches)

    def finish(self, names: tuple[str, ...]) -> FieldStatistics:
        """Returns the statistics.

        Args:
            names: of the D dimensions.

        Raises:
            DatasetError: no value was seen.
        """
        if not self._count:
            raise DatasetError("there are no values to compute statistics of. Give a data set with episodes")
        values = np.concatenate(self._batches).astype(np.float64)
        low, high = np.quantile(values, (0.01, 0.99), axis=0)
        columns = {
            "min": values.min(axis=0),
            "max": values.max(axis=0),
            "mean": self._mean,
            "std": np.sqrt(self._squares / self._count),
            "q01": low,
            "q99": high,
        }
        exact = {name: tuple(column.tolist()) for name, column in columns.items()}
        return FieldStatistics(names=names, count=self._count, **exact)

    def _add(self, count: int, mean: npt.NDArray[np.float64], squares: npt.NDArray[np.float64]) -> None:
        if not count:
            return
        if not self._count:
            self._count, self._mean, self._squares = count, mean, squares
            return
        total = self._count + count
        shift = mean - self._mean
        self._squares = self._squares + squares + np.square(shift) * (self._count * count / total)
        self._mean = self._mean + shift * (count / total)
        self._count = total


def compute_statistics(reader: RLDSReader) -> DatasetStatistics:
    """Computes the statistics of the actions and of the state of a data set.

    Args:
        reader: of the data set; its embodiment gives the names of the dimensions.

    Returns:
        Statistics of "action", "expert_action" and "state", as far as the data set has them.

    Raises:
        DatasetError: the data set has none of them or no embodiment, or a value is not finite.
    """
    embodiment = reader.embodiment
    action = tuple(dimension.name for dimension in embodiment.action.dimensions)
    names = dict.fromkeys(_ACTION_FIELDS, action)
    names[_STATE_FIELD] = tuple(dimension.name for dimension in embodiment.state)
    present = {
        field: names[field]
        for field in names
        if any(isinstance(reader.features.steps.get(path), TensorFeature) for path in (field, f"observation/{field}"))
    }
    if not present:
        raise DatasetError(f"{reader.folder} has none of the fields {', '.join(names)}, so there is nothing to compute")
    return DatasetStatistics(
        _accumulate(reader, present), source=f"{reader.name} {reader.version}, {len(reader)} episodes"
    )


def _accumulate(episodes: Iterable[Episode], names: Mapping[str, tuple[str, ...]]) -> dict[str, FieldStatistics]:
    accumulators = {field: FieldAccumulator() for field in names}
    for episode in episodes:
        for field, accumulator in accumulators.items():
            values = episode.array(field)
            accumulator.update(values.reshape(len(values), -1))
    return {field: accumulator.finish(names[field]) for field, accumulator in accumulators.items()}

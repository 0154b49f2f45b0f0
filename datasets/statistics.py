"""Statistics of the numeric fields of a data set, from one pass over its episodes."""

from __future__ import annotations

from collections.abc import Mapping, Set

import numpy as np
import numpy.typing as npt

from embodio.datasets.episode_index import index_episodes
from embodio.datasets.errors import DatasetError
from embodio.datasets.quantile_sketch import QuantileSketch
from embodio.datasets.rlds.features import TensorFeature
from embodio.datasets.side_files import fingerprint, load_side_file, save_side_file
from embodio.datasets.source import EpisodeSource
from embodio.model.statistics import DatasetStatistics, FieldStatistics, StatisticsError

_ACTION_FIELDS = ("action", "expert_action")
_STATE_FIELD = "state"
_KIND, _REVISION = "statistics", 1


class FieldAccumulator:
    """Gathers the statistics of one vector of numbers, batch by batch.

    Mean and variance are updated by the pairwise rule of Chan, Golub and LeVeque (1983), so batches and accumulators
    may be merged in any grouping without loss of precision. Quantiles are exact for up to 65,536 vectors, and come from
    a sketch of bounded size beyond that.
    """

    def __init__(self) -> None:
        """Begins with nothing."""
        self._count = 0
        self._mean: npt.NDArray[np.float64] = np.zeros(0)
        self._squares: npt.NDArray[np.float64] = np.zeros(0)  # sum of squared differences from the mean
        self._low: npt.NDArray[np.float64] = np.zeros(0)
        self._high: npt.NDArray[np.float64] = np.zeros(0)
        self._sketch = QuantileSketch()

    @property
    def rank_error(self) -> float:
        """How far a quantile may be off at most, as a share of all values; 0 as long as it is exact."""
        return self._sketch.rank_error / max(1, self._count)

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
        self._widen(exact.min(axis=0), exact.max(axis=0))
        self._add(len(exact), mean, np.square(exact - mean).sum(axis=0))
        self._sketch.update(values.astype(np.float32))

    def merge(self, other: FieldAccumulator) -> None:
        """Adds all that another accumulator has seen."""
        if not other._count:
            return
        self._widen(other._low, other._high)
        self._add(other._count, other._mean, other._squares)
        self._sketch.merge(other._sketch)

    def finish(self, names: tuple[str, ...]) -> FieldStatistics:
        """Returns the statistics.

        Args:
            names: of the D dimensions.

        Raises:
            DatasetError: no value was seen.
        """
        if not self._count:
            raise DatasetError("there are no values to compute statistics of. Give a data set with episodes")
        low, high = np.clip(self._sketch.quantiles((0.01, 0.99)), self._low, self._high)
        columns = {
            "min": self._low,
            "max": self._high,
            "mean": self._mean,
            "std": np.sqrt(self._squares / self._count),
            "q01": low,
            "q99": high,
        }
        exact = {name: tuple(column.tolist()) for name, column in columns.items()}
        return FieldStatistics(names=names, count=self._count, **exact)

    def _widen(self, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]) -> None:
        """Takes in smallest and largest values; called before the first `_add`."""
        self._low = np.minimum(self._low, low) if self._count else low
        self._high = np.maximum(self._high, high) if self._count else high

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


def compute_statistics(reader: EpisodeSource) -> DatasetStatistics:
    """Computes the statistics of the actions and of the state of a data set, or reads them from beside the data.

    They are kept under a hash of the files and of what is computed, so they are computed anew when either changes.
    Damaged episodes are left out, which `source` of the result says; the loader counts and limits them.

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
        raise DatasetError(f"{reader.name} has none of the fields {', '.join(names)}, so there is nothing to compute")
    key = fingerprint(reader, fields=present, revision=_REVISION)
    known = _load(reader, key)
    if known is not None:
        return known
    version = getattr(reader, "version", "")
    damaged = index_episodes(reader).damaged
    source = f"{reader.name} {version}".strip() + f", {len(reader)} episodes"
    if damaged:
        source += f", of which {len(damaged)} are damaged and left out"
    computed = DatasetStatistics(_accumulate(reader, present, set(damaged)), source=source)
    save_side_file(reader, _KIND, key, computed.to_dict())
    return computed


def _load(source: EpisodeSource, key: str | None) -> DatasetStatistics | None:
    content = load_side_file(source, _KIND, key)
    try:
        return None if content is None else DatasetStatistics.from_dict(content)
    except StatisticsError:  # written by another version: it is only a shortcut
        return None


def _accumulate(
    source: EpisodeSource, names: Mapping[str, tuple[str, ...]], damaged: Set[int]
) -> dict[str, FieldStatistics]:
    accumulators = {field: FieldAccumulator() for field in names}
    for number in range(len(source)):
        if number in damaged:
            continue
        episode = source.episode(number)
        for field, accumulator in accumulators.items():
            values = episode.array(field)
            accumulator.update(values.reshape(len(values), -1))
    return {field: accumulator.finish(names[field]) for field, accumulator in accumulators.items()}

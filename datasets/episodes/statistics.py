"""Statistics of the numeric fields of a data set, computed in one pass over its episodes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embodio.datasets.engines import ALONE, Crew
from embodio.datasets.episodes.dimension_names import dimension_names
from embodio.datasets.episodes.features import TensorFeature
from embodio.datasets.episodes.fields import as_rows
from embodio.datasets.episodes.index import index_episodes
from embodio.datasets.episodes.quantile_sketch import QuantileSketch
from embodio.datasets.episodes.side_files import fingerprint, load_side_file, save_side_file
from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.episodes.step_filter import REASONS, StepFilter, finite_rows
from embodio.datasets.episodes.step_rules import StepRules
from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError
from embodio.model.tokens.statistics import DatasetStatistics, FieldStatistics, StatisticsError

_ACTION_FIELDS = ("action", "expert_action")
_STATE_FIELD = "state"
_KIND, _REVISION = "statistics", 4
_PART = 32  # episodes that are accumulated together, and then merged in their order
_LISTED = 8


class FieldAccumulator:
    """Accumulates the statistics of one vector of numbers, batch by batch.

    Mean and variance are updated by the pairwise rule of Chan, Golub and LeVeque (1983), so batches and accumulators
    may be merged in any grouping: count, minimum and maximum are the same bits, mean and deviation differ by rounding.
    Quantiles are exact for up to 65,536 vectors, and come from a sketch of bounded size beyond that.
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
        """The largest rank error of a quantile, as a share of all values; 0 while it is exact."""
        return self._sketch.rank_error / max(1, self._count)

    def update(self, values: npt.NDArray[Any]) -> None:
        """Adds a batch of numbers [N, D] of any type; only the quantiles see them as float32.

        Raises:
            DatasetError: a value is not finite, or beyond float32.
        """
        if not len(values):
            return
        if not finite_rows(values).all():
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
        low, high = self.quantiles((0.01, 0.99))
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

    def quantiles(self, shares: tuple[float, ...]) -> npt.NDArray[np.float64]:
        """Returns quantiles, float64 [shares, D]; at least one batch must have been added."""
        return np.clip(self._sketch.quantiles(shares), self._low, self._high)

    def _widen(self, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]) -> None:
        """Widens the range to smallest and largest values; called before the first `_add`."""
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


def policy_fields(computed: DatasetStatistics, action_key: str) -> DatasetStatistics:
    """The statistics of a policy's fields: "state", if it is there, and as "action" the field that it imitates."""
    fields = {"action": computed.field(action_key)}
    fields |= {"state": computed.field("state")} if "state" in computed.fields else {}
    return DatasetStatistics(fields, f"{computed.source}, {action_key}")


def compute_statistics(
    reader: EpisodeSource,
    *others: EpisodeSource,
    fields: Sequence[str] = (),
    episodes: int = 0,
    rules: StepRules | None = None,
    done: Callable[[int], None] = lambda count: None,
    crew: Crew = ALONE,
) -> DatasetStatistics:
    """Computes the statistics of the actions and of the state of a data set, or reads those kept with the data.

    They are kept under a hash of the files and of the computation, so they are recomputed when either changes.
    Damaged episodes are left out, and so are steps with a non-finite value in any of the fields, as `source` of the
    result states; training leaves out the same ones.

    Args:
        reader: of the data set; its embodiment gives the names of the dimensions.
        others: more data sets of the same robot; the statistics cover all steps together.
        fields: numeric fields of a step; empty takes those of "action", "expert_action" and "state" that are there.
        episodes: of each data set only this many, from the start, are read; 0 reads all.
        rules: other steps to leave out; None for none.
        done: called after each with the number of episodes done so far.
        crew: reads the episodes, in parts that are always the same; so the result does not depend on it.

    Returns:
        Statistics of each field.

    Raises:
        DatasetError: a data set lacks a field, or nothing is left to compute.
        EngineError: the engine fails.
    """
    readers = (reader, *others)
    names = {field: _names(readers, field) for field in fields or _usual_fields(reader)}
    rules = rules or StepRules()
    made = {"revision": _REVISION, "rules": rules.to_json()} | ({"first": episodes} if episodes else {})
    keys = [fingerprint(one, fields=names, **made) for one in readers]
    key = keys[0] if len(keys) == 1 else _joined(keys)
    known = _load(reader, key)
    if known is not None:
        return known
    total, count = _Sums(tuple(names)), 0
    filters = [StepFilter(one, tuple(names), rules) for one in readers]
    for part in _in_order(crew, partial(_sums, readers, filters, tuple(names)), _parts(readers, episodes)):
        total.merge(part)
        for _ in range(part.episodes):
            count += 1
            done(count)
    left_out = total.left_out
    if count and not left_out.kept:
        raise DatasetError(
            f"{reader.name}: in {count} episodes there is no step to compute statistics of{left_out}. "
            "`embodio-data verify` says what is wrong with them"
        )
    source = _described(readers, episodes) + str(left_out)
    computed = DatasetStatistics({f: a.finish(names[f]) for f, a in total.accumulators.items()}, source=source)
    save_side_file(reader, _KIND, key, computed.to_dict())
    return computed


class _LeftOut:
    """Counts of the episodes and steps that the statistics leave out."""

    def __init__(self) -> None:
        self.kept = 0
        self.episodes: list[str] = []
        self._steps = np.zeros(1 + len(REASONS), np.int64)

    def count(self, reasons: npt.NDArray[np.uint8]) -> None:
        self._steps += np.bincount(reasons, minlength=len(self._steps))
        self.kept = int(self._steps[0])

    def merge(self, other: _LeftOut) -> None:
        self.kept += other.kept
        self.episodes += other.episodes
        self._steps += other._steps

    def __str__(self) -> str:
        """Readable text to append to the description of what was read."""
        parts = []
        if self.episodes:
            listed = ", ".join(self.episodes[:_LISTED]) + (", ..." if len(self.episodes) > _LISTED else "")
            parts.append(f"{len(self.episodes)} damaged episodes left out ({listed})")
        if self._steps[1:].any():
            counts = [f"{count} {reason}" for reason, count in zip(REASONS, self._steps[1:], strict=True) if count]
            parts.append(f"{self._steps[1:].sum()} steps left out ({', '.join(counts)})")
        return "".join(f", {part}" for part in parts)


def _described(readers: Sequence[EpisodeSource], episodes: int) -> str:
    """A readable description of what was read."""
    parts = []
    for reader in readers:
        name = f"{reader.name} {getattr(reader, 'version', '')}".strip()
        parts.append(f"{name}, {min(len(reader), episodes or len(reader))} episodes")
    empty = [words for reader in readers if (words := index_episodes(reader).empty_in_words())]
    if empty:
        parts[-1] += f"; {'; '.join(empty)}"
    return " and ".join(parts)


def _usual_fields(reader: EpisodeSource) -> list[str]:
    """Those of the usual fields that exist."""
    steps = reader.features.steps
    usual = (*_ACTION_FIELDS, _STATE_FIELD)
    present = [f for f in usual if any(isinstance(steps.get(path), TensorFeature) for path in (f, f"observation/{f}"))]
    if not present:
        raise DatasetError(f"{reader.name} has none of the fields {', '.join(usual)}, so there is nothing to compute")
    return present


def _names(readers: Sequence[EpisodeSource], field: str) -> tuple[str, ...]:
    """The names of the dimensions of a field, which must be the same in all data sets."""
    found = []
    for reader in readers:
        steps = reader.features.steps
        feature = steps.get(field, steps.get(f"observation/{field}"))
        if not isinstance(feature, TensorFeature):
            numeric = sorted(path for path, other in steps.items() if isinstance(other, TensorFeature))
            raise DatasetError(f"fields: {reader.name} has no numbers named {field!r}; it has {', '.join(numeric)}")
        found.append(dimension_names(reader, field, math.prod(length or 0 for length in feature.shape)))
    if len(set(found)) > 1:
        raise DatasetError(f"{field}: the data sets have the dimensions {found}; take those of one robot together")
    return found[0]


def _joined(keys: Sequence[str | None]) -> str | None:
    known = [key for key in keys if key is not None]
    return hashlib.sha256(" ".join(known).encode()).hexdigest()[:32] if len(known) == len(keys) else None


def _load(source: EpisodeSource, key: str | None) -> DatasetStatistics | None:
    content = load_side_file(source, _KIND, key)
    try:
        return None if content is None else DatasetStatistics.from_dict(content)
    except StatisticsError:  # written by another version: it is only a shortcut
        return None


class _Part(NamedTuple):
    """Some episodes of one data set, the lengths of all and what is wrong with damaged ones, by their numbers."""

    source: int
    numbers: range
    lengths: npt.NDArray[np.int64]
    damaged: Mapping[int, str]


class _Sums:
    """What is accumulated of some episodes: statistics of each field, what was left out, and how many there were."""

    def __init__(self, fields: Sequence[str]) -> None:
        self.accumulators = {field: FieldAccumulator() for field in fields}
        self.left_out, self.episodes = _LeftOut(), 0

    def merge(self, other: _Sums) -> None:
        for field, accumulator in self.accumulators.items():
            accumulator.merge(other.accumulators[field])
        self.left_out.merge(other.left_out)
        self.episodes += other.episodes


def _parts(readers: Sequence[EpisodeSource], episodes: int) -> list[_Part]:
    """The episodes of all data sets in parts of a fixed size."""
    parts = []
    for place, reader in enumerate(readers):
        index = index_episodes(reader)
        count = min(len(reader), episodes or len(reader))
        for first in range(0, count, _PART):
            numbers = range(first, min(first + _PART, count))
            damaged = {number: index.damaged[number] for number in numbers if number in index.damaged}
            parts.append(_Part(place, numbers, index.lengths[numbers.start : numbers.stop], damaged))
    return parts


def _sums(readers: Sequence[EpisodeSource], filters: Sequence[StepFilter], fields: Sequence[str], part: _Part) -> _Sums:
    """Accumulates one part."""
    source, steps, sums = readers[part.source], filters[part.source], _Sums(fields)
    for number, length in zip(part.numbers, part.lengths.tolist(), strict=True):
        sums.episodes += 1
        if not length and number not in part.damaged:
            continue
        try:
            if number in part.damaged:
                raise FeatureError(part.damaged[number])
            episode = source.episode(number)
            arrays = {field: episode.array(field) for field in fields}
            reasons = steps.reasons(episode)
        except (CorruptRecordError, FeatureError):
            sums.left_out.episodes.append(f"{source.name} {number}")
        else:
            sums.left_out.count(reasons)
            for field, values in arrays.items():
                sums.accumulators[field].update(as_rows(values)[reasons == 0])
    return sums


def _in_order(crew: Crew, work: Callable[[_Part], _Sums], parts: Sequence[_Part]) -> Iterator[_Sums]:
    """The results of a crew in the order of the parts."""
    waiting, following = dict[int, _Sums](), 0
    for number, sums in crew.engine(work, parts, crew.workers):
        waiting[number] = sums
        while following in waiting:
            yield waiting.pop(following)
            following += 1

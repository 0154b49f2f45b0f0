"""Statistics of the values of a data set, and normalisers that scale values to [0, 1]."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from embodio.model.errors import ModelError

NormaliserKind = Literal["limits", "minmax", "quantiles", "meanstd"]

_DEVIATIONS = 3.0  # "meanstd" maps the mean -+ this many standard deviations to 0 and 1
_CONSTANT = 1e-9  # a range below this, relative to its ends, is that of a constant dimension


class StatisticsError(ModelError):
    """Statistics are missing, malformed, or do not fit the values they are used for."""


@dataclass(frozen=True)
class FieldStatistics:
    """The distribution of one vector of numbers, dimension by dimension (D dimensions).

    Attributes:
        names: of the dimensions, [D].
        min: smallest value, [D].
        max: largest value, [D].
        mean: [D].
        std: population standard deviation, [D].
        q01: 1st percentile, [D].
        q99: 99th percentile, [D].
        count: number of vectors that were seen.
    """

    names: tuple[str, ...]
    min: tuple[float, ...]
    max: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    q01: tuple[float, ...]
    q99: tuple[float, ...]
    count: int

    def __post_init__(self) -> None:
        """Checks sizes, order and finiteness; raises StatisticsError."""
        if self.count < 1:
            raise StatisticsError(f"count is {self.count}: statistics need at least one value")
        for name in ("min", "max", "mean", "std", "q01", "q99"):
            values = getattr(self, name)
            if len(values) != len(self.names):
                raise StatisticsError(f"{name} has {len(values)} values for {len(self.names)} dimensions")
            if not all(math.isfinite(value) for value in values):
                raise StatisticsError(f"{name} holds {values}: all values must be finite. Compute the statistics again")
        for dimension, *ordered in zip(self.names, self.min, self.q01, self.q99, self.max, strict=True):
            if ordered != sorted(ordered):
                raise StatisticsError(f"{dimension}: min, q01, q99, max are {ordered}, which is not in order")

    @property
    def outliers_only(self) -> tuple[str, ...]:
        """Names of the dimensions that change too rarely to have a range under "quantiles"."""
        flat = Normaliser.from_statistics("quantiles", self).constant
        lost = flat & ~Normaliser.from_statistics("minmax", self).constant
        return tuple(name for name, is_lost in zip(self.names, lost, strict=True) if is_lost)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain JSON values."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in dataclasses.asdict(self).items()
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FieldStatistics:
        """The inverse of `to_dict`; raises StatisticsError if a key is missing, unknown or has a wrong value."""
        _check_keys("statistics of a field", data, {item.name for item in dataclasses.fields(cls)})
        try:
            columns = {
                name: tuple(float(value) for value in data[name])
                for name in ("min", "max", "mean", "std", "q01", "q99")
            }
            return cls(names=tuple(str(name) for name in data["names"]), count=int(data["count"]), **columns)
        except (TypeError, ValueError) as error:
            raise StatisticsError(f"statistics hold something that is not a number: {error}") from error


@dataclass(frozen=True)
class DatasetStatistics:
    """The distributions of all numeric fields of a data set.

    Attributes:
        fields: field ("action", "state", ...) -> its statistics; use `field` to look one up.
        source: where the values came from, for people.
    """

    fields: Mapping[str, FieldStatistics]
    source: str

    def field(self, name: str) -> FieldStatistics:
        """Returns the statistics of one field.

        Raises:
            StatisticsError: there are none; lists what there is.
        """
        if name not in self.fields:
            raise StatisticsError(
                f"there are no statistics of {name!r}, only of {', '.join(sorted(self.fields)) or 'nothing'}. "
                f"Compute them from a data set that has {name!r}"
            )
        return self.fields[name]

    def to_dict(self) -> dict[str, Any]:
        """Returns plain JSON values."""
        return {"source": self.source, "fields": {name: value.to_dict() for name, value in self.fields.items()}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DatasetStatistics:
        """The inverse of `to_dict`; raises StatisticsError if a key is missing, unknown or has a wrong value."""
        _check_keys("statistics", data, {"source", "fields"})
        if not isinstance(data["fields"], Mapping):
            raise StatisticsError(f"statistics: fields must be a mapping, not {type(data['fields']).__name__}")
        fields = {name: FieldStatistics.from_dict(value) for name, value in data["fields"].items()}
        return cls(fields, str(data["source"]))


@dataclass(frozen=True)
class Normaliser:
    """Maps the interval [low, high] of each dimension to [0, 1] and back.

    It is total: values outside are clipped, and a constant dimension maps to 0.5 and back to its constant.

    Attributes:
        kind: what the interval was taken from.
        low: [D].
        high: [D].
    """

    kind: NormaliserKind
    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        """Checks sizes, order and finiteness; raises StatisticsError."""
        if self.kind not in ("limits", "minmax", "quantiles", "meanstd"):
            raise StatisticsError(f"kind {self.kind!r}: use limits, minmax, quantiles or meanstd")
        if len(self.low) != len(self.high):
            raise StatisticsError(f"{len(self.low)} lower and {len(self.high)} upper ends")
        for index, (low, high) in enumerate(zip(self.low, self.high, strict=True)):
            if not (math.isfinite(low) and math.isfinite(high) and low <= high):
                raise StatisticsError(f"dimension {index}: [{low}, {high}] is not an interval of finite numbers")

    @classmethod
    def from_limits(cls, low: npt.ArrayLike, high: npt.ArrayLike) -> Normaliser:
        """Takes the interval from given limits, each [D]."""
        return cls("limits", _floats(low), _floats(high))

    @classmethod
    def from_statistics(cls, kind: NormaliserKind, statistics: FieldStatistics) -> Normaliser:
        """Takes the interval from statistics.

        Args:
            kind: "minmax", "quantiles" (1 % to 99 %) or "meanstd" (mean -+ 3 standard deviations).
            statistics: of the field.

        Raises:
            StatisticsError: the kind is none of these.
        """
        if kind == "minmax":
            return cls(kind, statistics.min, statistics.max)
        if kind == "quantiles":
            return cls(kind, statistics.q01, statistics.q99)
        if kind == "meanstd":
            mean, reach = np.array(statistics.mean), _DEVIATIONS * np.array(statistics.std)
            return cls(kind, _floats(mean - reach), _floats(mean + reach))
        raise StatisticsError(f"kind {kind!r} cannot be taken from statistics; use minmax, quantiles or meanstd")

    def normalise(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Maps values to [0, 1].

        Args:
            values: [..., D].

        Returns:
            float64 [..., D] in [0, 1].

        Raises:
            StatisticsError: the last dimension is not D, or a value is NaN.
        """
        array = self._checked(values)
        low, high = np.array(self.low), np.array(self.high)
        constant = self.constant
        scaled = (np.clip(array, low, high) - low) / np.where(constant, 1.0, high - low)
        return np.where(constant, 0.5, np.clip(scaled, 0.0, 1.0))

    def denormalise(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Maps [0, 1] back to values.

        Args:
            values: [..., D]; clipped to [0, 1].

        Returns:
            float64 [..., D], each in [low, high].

        Raises:
            StatisticsError: the last dimension is not D, or a value is NaN.
        """
        share = np.clip(self._checked(values), 0.0, 1.0)
        low, high = np.array(self.low), np.array(self.high)
        share = np.where(self.constant, 0.5, share)
        restored: npt.NDArray[np.float64] = np.clip(low * (1.0 - share) + high * share, low, high)
        return restored

    def to_dict(self) -> dict[str, Any]:
        """Returns plain JSON values."""
        return {"kind": self.kind, "low": list(self.low), "high": list(self.high)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Normaliser:
        """The inverse of `to_dict`; raises StatisticsError if a key is missing or unknown."""
        _check_keys("normaliser", data, {"kind", "low", "high"})
        return cls(data["kind"], _floats(data["low"]), _floats(data["high"]))

    def _checked(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        array = np.asarray(values, dtype=np.float64)
        if array.ndim < 1 or array.shape[-1] != len(self.low):
            raise StatisticsError(f"values of shape {array.shape} given, [..., {len(self.low)}] expected")
        if np.isnan(array).any():
            dimensions = sorted({int(index) for index in np.argwhere(np.isnan(array))[:, -1]})
            raise StatisticsError(
                f"dimensions {dimensions} hold NaN, which has no place on a scale. Check where they come from"
            )
        return array

    @property
    def constant(self) -> npt.NDArray[np.bool_]:
        """The dimensions without a range, bool [D]."""
        low, high = np.array(self.low), np.array(self.high)
        size = np.maximum(1.0, np.maximum(np.abs(low), np.abs(high)))
        constant: npt.NDArray[np.bool_] = high - low <= _CONSTANT * size
        return constant


def _floats(values: npt.ArrayLike) -> tuple[float, ...]:
    return tuple(float(value) for value in np.asarray(values, dtype=np.float64).ravel())


def _check_keys(where: str, data: Mapping[str, Any], expected: set[str]) -> None:
    if not isinstance(data, Mapping):
        raise StatisticsError(f"{where}: a mapping was expected, not {type(data).__name__}")
    missing, unknown = sorted(expected - data.keys()), sorted(data.keys() - expected)
    if missing or unknown:
        raise StatisticsError(f"{where}: missing {missing}, unknown {unknown}. Compute the statistics again")

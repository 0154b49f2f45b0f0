"""Statistics and normalisers: strict in what they take, total in what they map."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.model.tokens.statistics import DatasetStatistics, FieldStatistics, Normaliser, StatisticsError

FIELD = FieldStatistics(
    names=("x", "y"),
    min=(-2.0, 5.0),
    max=(2.0, 5.0),
    mean=(0.5, 5.0),
    std=(0.25, 0.0),
    q01=(-1.0, 5.0),
    q99=(1.0, 5.0),
    count=10,
)

numbers = st.floats(-1e6, 1e6)


@st.composite
def intervals(draw: st.DrawFn) -> tuple[float, float]:
    first, second = draw(numbers), draw(numbers)
    return min(first, second), max(first, second)


@given(intervals(), st.floats(0, 1))
def test_values_inside_come_back(interval: tuple[float, float], share: float) -> None:
    low, high = interval
    normaliser = Normaliser.from_limits([low], [high])
    value = np.clip(low + share * (high - low), low, high)
    unit = normaliser.normalise([value])
    assert 0.0 <= unit[0] <= 1.0
    assert normaliser.denormalise(unit)[0] == pytest.approx(value, abs=1e-9 * max(1.0, abs(low), abs(high)))


@given(intervals(), st.floats(allow_nan=False))
def test_both_directions_are_total(interval: tuple[float, float], value: float) -> None:
    low, high = interval
    normaliser = Normaliser.from_limits([low], [high])
    assert 0.0 <= normaliser.normalise([value])[0] <= 1.0
    assert low <= normaliser.denormalise([value])[0] <= high


@given(intervals(), st.lists(st.floats(allow_nan=False), min_size=2, max_size=10))
def test_order_is_kept(interval: tuple[float, float], values: list[float]) -> None:
    normaliser = Normaliser.from_limits(*([end] for end in interval))
    column = np.sort(values)[:, None]
    assert (np.diff(normaliser.normalise(column)[:, 0]) >= 0).all()
    assert (np.diff(normaliser.denormalise(column)[:, 0]) >= 0).all()


def test_ends_and_outside() -> None:
    normaliser = Normaliser.from_limits([-1.0, 0.0], [1.0, 10.0])
    values = np.array([[-1.0, 0.0], [1.0, 10.0], [0.0, 5.0], [-7.0, 70.0]])
    assert normaliser.normalise(values).tolist() == [[0.0, 0.0], [1.0, 1.0], [0.5, 0.5], [0.0, 1.0]]


@given(numbers, st.floats(allow_nan=False))
def test_constant_dimensions_map_to_the_middle_and_back(constant: float, value: float) -> None:
    normaliser = Normaliser.from_limits([constant], [constant])
    assert normaliser.normalise([value]).tolist() == [0.5]
    assert normaliser.denormalise([value]).tolist() == [constant]


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [("minmax", -2.0, 2.0), ("quantiles", -1.0, 1.0), ("meanstd", -0.25, 1.25)],
)
def test_interval_of_each_kind(kind: Any, low: float, high: float) -> None:
    normaliser = Normaliser.from_statistics(kind, FIELD)
    assert (normaliser.low[0], normaliser.high[0]) == (low, high)
    assert normaliser.normalise([[low, 5.0]]).tolist() == [[0.0, 0.5]]
    assert normaliser.denormalise([[1.0, 0.0]]).tolist() == [[high, 5.0]]
    assert Normaliser.from_dict(json.loads(json.dumps(normaliser.to_dict()))) == normaliser


def test_float32_is_widened() -> None:
    assert Normaliser.from_limits([0.0], [1.0]).normalise(np.zeros((2, 3, 1), np.float32)).dtype == np.float64


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda n: n.normalise([1.0]), r"shape \(1,\) given"),
        (lambda n: n.denormalise(0.5), r"shape \(\) given"),
        (lambda n: n.normalise([[0.0, np.nan]]), r"dimensions \[1\] hold NaN"),
        (lambda n: n.denormalise([np.nan, 0.0]), r"dimensions \[0\] hold NaN"),
    ],
)
def test_values_that_cannot_be_scaled_are_refused(call: Any, message: str) -> None:
    with pytest.raises(StatisticsError, match=message):
        call(Normaliser.from_limits([0.0, 0.0], [1.0, 1.0]))


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        ([1.0], [0.0], "not an interval"),
        ([0.0], [np.inf], "not an interval"),
        ([0.0], [1.0, 2.0], "1 lower and 2 upper"),
    ],
)
def test_senseless_limits_are_refused(low: list[float], high: list[float], message: str) -> None:
    with pytest.raises(StatisticsError, match=message):
        Normaliser.from_limits(low, high)


@pytest.mark.parametrize("kind", ["limits", "other"])
def test_unknown_kinds_are_refused(kind: Any) -> None:
    with pytest.raises(StatisticsError, match="use minmax, quantiles or meanstd"):
        Normaliser.from_statistics(kind, FIELD)


def test_statistics_survive_json() -> None:
    statistics = DatasetStatistics({"action": FIELD}, source="toy 1.0.0")
    assert DatasetStatistics.from_dict(json.loads(json.dumps(statistics.to_dict()))) == statistics
    assert statistics.field("action") == FIELD


def test_missing_field_lists_what_there_is() -> None:
    with pytest.raises(StatisticsError, match="no statistics of 'state', only of action"):
        DatasetStatistics({"action": FIELD}, "toy").field("state")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 0}, "count is 0"),
        ({"mean": (0.0,)}, "mean has 1 values for 2 dimensions"),
        ({"std": (float("nan"), 0.0)}, "std holds"),
        ({"q01": (-3.0, 5.0)}, "x: min, q01, q99, max"),
    ],
)
def test_senseless_statistics_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(StatisticsError, match=message):
        dataclasses.replace(FIELD, **change)


def test_json_is_read_strictly() -> None:
    good = DatasetStatistics({"action": FIELD}, "toy").to_dict()
    field = good["fields"]["action"]
    without = {name: value for name, value in field.items() if name != "q99"}
    for bad, message in [
        ({**good, "extra": 1}, r"unknown \['extra'\]"),
        ({"fields": good["fields"]}, r"missing \['source'\]"),
        ({**good, "fields": []}, "fields must be a mapping"),
        ({**good, "fields": {"action": without}}, r"missing \['q99'\]"),
        ({**good, "fields": {"action": {**field, "min": ["a", "b"]}}}, "not a number"),
        ({**good, "fields": {"action": None}}, "a mapping was expected"),
    ]:
        with pytest.raises(StatisticsError, match=message):
            DatasetStatistics.from_dict(bad)

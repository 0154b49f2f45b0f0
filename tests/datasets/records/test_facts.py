"""Facts that several readers need are read whole, or refused by their names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.datasets.errors import FeatureError
from embodio.datasets.records.facts import texts_of, things_of
from embodio.datasets.records.record import Record

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)
JSON = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=2), inner))


def record(**facts: Any) -> Record:
    return Record(key="desk", facts=facts)


@given(JSON, JSON, JSON)
def test_anything_that_json_holds_is_things_or_refused(labels: Any, boxes: Any, values: Any) -> None:
    one = record(labels=labels, boxes=boxes, mask_values=values)
    assert all(isinstance(text, str) and text == text.strip() != "" for text in texts_of(one, "labels"))
    try:
        things = things_of(one, "labels", "boxes", "mask_values")
    except FeatureError as error:
        assert str(error).startswith("desk: ")
        return
    assert len(things) == len(labels) == len(boxes) == len(values)
    assert all(isinstance(label, str) and len(box) == 4 for label, box, _ in things)


@given(st.lists(st.tuples(st.text(), st.lists(st.floats(0, 99), min_size=4, max_size=4), st.integers(0, 255))))
def test_things_are_read_back(things: list[tuple[str, list[float], int]]) -> None:
    labels, boxes, values = ([thing[part] for thing in things] for part in range(3))
    assert things_of(record(labels=labels, boxes=boxes, mask_values=values), "labels", "boxes", "mask_values") == things
    arrays = record(labels=labels, boxes=np.array(boxes).reshape(-1, 4), mask_values=np.array(values, int))
    assert [value for (value,) in things_of(arrays, "mask_values")] == values
    assert [list(box) for (box,) in things_of(arrays, "boxes")] == boxes


def test_texts_are_one_or_several() -> None:
    assert texts_of(record(title=" a heart "), "title") == ("a heart",)
    assert texts_of(record(keywords=["love", " ", 7, None]), "keywords") == ("love",)
    assert texts_of(record(title=None), "title") == texts_of(record(title=7), "title") == texts_of(record(), "x") == ()


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ({"labels": None}, "desk: labels: got None, expected a list with a text a thing"),
        ({"labels": "red box"}, "desk: labels: got 'red box', expected a list with a text a thing"),
        ({"labels": ["box", 7]}, "desk: labels: got 7, expected a list with a text a thing"),
        ({"boxes": [[1, 2, 3]]}, r"desk: boxes: got \[1, 2, 3\], expected a list with four numbers"),
        ({"boxes": [[1, 2, 3, None]]}, "desk: boxes: got .*None.*, expected a list with four numbers"),
        ({"mask_values": ["a"]}, "desk: mask_values: got 'a', expected a list with an integer a thing"),
        ({"labels": ["box"]}, "desk: 1 labels, 0 boxes, 0 mask_values; give one of each for every thing"),
    ],
)
def test_mistakes_are_named(facts: dict[str, Any], problem: str) -> None:
    with pytest.raises(FeatureError, match=problem):
        things_of(record(**facts), "labels", "boxes", "mask_values")

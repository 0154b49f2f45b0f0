"""Plans as text: there and back within half a bin, the spelling of the released models, and texts that are no plan."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from embodio.model.plan_text import Plan, PlanError, Tool, read_plan, sentence, write_plan
from embodio.model.vocabulary import Vocabulary

VOCABULARY = Vocabulary.default()
shares = arrays.arrays(np.float64, st.tuples(st.integers(1, 12), st.just(6)), elements=st.floats(0, 1))


@settings(max_examples=60)
@given(shares, st.sampled_from(["suction", "spatula"]))
def test_a_plan_comes_back_within_half_a_bin(values: np.ndarray, tool: Tool) -> None:
    ids = VOCABULARY.encode(write_plan(Plan(tool, values), VOCABULARY))
    for answer in (ids, [*ids, 1, 5], VOCABULARY.decode(ids)):
        found = read_plan(answer, VOCABULARY)
        assert found.tool == tool and np.abs(found.shares - values).max() <= 0.5 / 999 + 1e-12


@settings(max_examples=60)
@given(shares)
def test_rounding_of_the_released_weights_is_at_most_a_bin_low(values: np.ndarray) -> None:
    ids = VOCABULARY.encode(write_plan(Plan("suction", values), VOCABULARY, rounding="trunc"))
    below = values - read_plan(ids, VOCABULARY).shares
    assert below.min() > -1e-12 and below.max() < 1 / 999


def test_the_spelling_is_that_of_the_released_models() -> None:
    plan = Plan("spatula", np.array([[0, 1, 0.5, 0.25, 0.75, 0]]))
    ids = VOCABULARY.encode(write_plan(plan, VOCABULARY, rounding="trunc"))
    text = (
        "1: push from ( <extra_id_200> <extra_id_1199> <extra_id_699> ) "
        "and push to ( <extra_id_449> <extra_id_949> <extra_id_200> )"
    )
    assert VOCABULARY.decode(ids) == text and VOCABULARY.encode(text, parse_special=True) == ids
    assert sentence(12, "suction").count(None) == 6 and sentence(12, "suction")[0] == "12: pick from ("


POSE = "( <extra_id_200> <extra_id_1199> <extra_id_699> )"
STEP = f"pick from {POSE} and place to {POSE}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("go away", "expected step 1, found 'go away'"),
        (f"2: {STEP}", "step 1 is numbered 2"),
        (f"1: {STEP} and so on", "expected step 2"),
        (f"1: {STEP} 2: push from {POSE} and push to {POSE}", "one tool"),
        (f"1: pick from {POSE} and push to {POSE}", "one tool"),
        (f"1: {STEP}".replace("1199", "1200"), "no value token"),
        (f"1: {STEP}".replace("1199", "199"), "no value token"),
        (f"1: {STEP}".replace("1199", "9" * 5000), "no value token"),
    ],
)
def test_no_plan(text: str, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        read_plan(text, VOCABULARY)


@settings(max_examples=60)
@given(st.lists(st.integers(0, VOCABULARY.size - 1), max_size=30) | st.text(max_size=60))
def test_anything_is_a_plan_or_a_typed_error(answer: list[int] | str) -> None:
    try:
        assert len(read_plan(answer, VOCABULARY).shares)
    except PlanError as error:
        assert "plan" in str(error)


@pytest.mark.parametrize("values", [np.zeros((0, 6)), np.zeros((2, 5)), np.full((1, 6), 1.5), np.full((1, 6), np.nan)])
def test_what_cannot_be_written(values: np.ndarray) -> None:
    with pytest.raises(PlanError):
        write_plan(Plan("suction", values), VOCABULARY)

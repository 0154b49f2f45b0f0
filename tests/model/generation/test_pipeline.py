"""Repetition control, constraints and rules: nothing illegal can be chosen, whatever the scores are."""

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from embodio.model import DecodingError
from embodio.model.generation import (
    Repetition,
    Sampling,
    all_of,
    allow,
    allow_below,
    allow_by_step,
    prefer_range,
)
from embodio.model.generation.pipeline import ScorePipeline
from embodio.model.generation.repetition import repeated
from embodio.model.generation.sampling import draw

SIZE = 6
HISTORY = st.lists(st.integers(0, SIZE - 1), min_size=1, max_size=12)
WILD = st.one_of(st.floats(width=32), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 3e38, -3e38]))


@given(HISTORY, st.integers(1, 4))
def test_runs_that_would_occur_twice(history: list[int], length: int) -> None:
    runs = {tuple(history[at : at + length]) for at in range(len(history) - length + 1)}
    start = history[len(history) - length + 1 :]
    expected = [(*start, index) in runs for index in range(SIZE)] if len(history) >= length else [False] * SIZE
    assert repeated(torch.tensor([history]), length, SIZE)[0].tolist() == expected


@given(HISTORY, st.lists(st.floats(-5, 5, width=32), min_size=SIZE, max_size=SIZE), st.floats(0.5, 3.0))
def test_penalty(history: list[int], values: list[float], penalty: float) -> None:
    found = Repetition(penalty=penalty).apply(torch.tensor([values]), torch.tensor([history]))[0]
    for index, value in enumerate(values):
        expected = (value * penalty if value < 0 else value / penalty) if index in history else value
        assert found[index] == pytest.approx(expected, abs=1e-5)


@given(
    st.lists(WILD, min_size=SIZE, max_size=SIZE),
    st.lists(st.booleans(), min_size=SIZE, max_size=SIZE),
    HISTORY,
    st.integers(0, 2),
    st.floats(0.0, 1.0, exclude_max=True),
)
def test_only_legal_ids_can_be_chosen(
    values: list[float], legal: list[bool], history: list[int], length: int, noise: float
) -> None:
    mask = torch.tensor([legal])
    pipeline = ScorePipeline(
        torch.tensor([[False] + [True] * (SIZE - 1)]),
        Repetition(no_repeat_ngram=length),
        (lambda scores, tokens, rows: scores.masked_fill(torch.tensor(legal).flip(0), -torch.inf),),
        lambda tokens, rows: mask,
    )
    arguments = (torch.tensor([values]), torch.tensor([history]), torch.tensor([0]))
    if not any(legal[1:]):
        with pytest.raises(DecodingError, match=rf"step {len(history) - 1} .* examples \[0\] without a legal id"):
            pipeline(*arguments)
        return
    scores = pipeline(*arguments)
    sampling = Sampling(temperature=0.5, top_k=3, top_p=0.9)
    for chosen in (int(scores.argmax()), int(draw(sampling.restrict(scores), torch.tensor([noise]).double()))):
        assert legal[chosen] and chosen != 0


def test_a_constraint_may_differ_between_rows_and_names_the_row_without_legal_ids() -> None:
    def legal(tokens: Tensor, rows: Tensor) -> Tensor:
        return rows.unsqueeze(1) == torch.arange(3)

    scores = torch.zeros(2, SIZE)
    history = torch.zeros(2, 1, dtype=torch.int64)
    assert ScorePipeline(constraint=legal)(scores, history, torch.tensor([2, 1])).argmax(dim=-1).tolist() == [2, 1]
    with pytest.raises(DecodingError, match=r"examples \[7\]"):
        ScorePipeline(constraint=legal)(scores, history, torch.tensor([2, 7]))


@pytest.mark.parametrize("mask", [torch.ones(1, 3), torch.ones(3, dtype=torch.bool), torch.ones(3, 3).bool()])
def test_ill_formed_constraints_are_refused(mask: Tensor) -> None:
    pipeline = ScorePipeline(constraint=lambda tokens, rows: mask)
    with pytest.raises(DecodingError, match="must give bool"):
        pipeline(torch.zeros(2, SIZE), torch.zeros(2, 1, dtype=torch.int64), torch.arange(2))


def test_ill_formed_rules_are_refused() -> None:
    pipeline = ScorePipeline(rules=(lambda scores, tokens, rows: scores[:, 1:],))
    with pytest.raises(DecodingError, match=r"shape \(2, 6\) into \(2, 5\)"):
        pipeline(torch.zeros(2, SIZE), torch.zeros(2, 1, dtype=torch.int64), torch.arange(2))


def legal_ids(mask: Tensor | None) -> Sequence[int] | None:
    return None if mask is None else mask[0].nonzero().flatten().tolist()


def test_constraints_by_id_and_step() -> None:
    tokens, rows = torch.zeros(1, 1, dtype=torch.int64), torch.arange(1)
    assert legal_ids(allow([5, 2])(tokens, rows)) == [2, 5]
    assert legal_ids(allow_below(3)(tokens, rows)) == [0, 1, 2]
    by_step = allow_by_step([[1], [2, 3]])
    assert legal_ids(by_step(tokens[:, :0], rows)) == [1]
    assert legal_ids(by_step(tokens, rows)) == [2, 3]
    assert by_step(tokens.repeat(1, 2), rows) is None
    assert legal_ids(all_of(by_step, allow([3, 4, 9]))(tokens, rows)) == [3]
    assert legal_ids(all_of(allow([3]), by_step)(tokens.repeat(1, 2), rows)) == [3]
    assert all_of()(tokens, rows) is None
    for ids in ([], [-1]):
        with pytest.raises(DecodingError, match="at least one, none of them negative"):
            allow(ids)


def test_preferred_ids_take_over_where_they_are_likely() -> None:
    likely = torch.tensor([[0.1, 0.3, 0.3, 0.3], [0.6, 0.2, 0.1, 0.1]]).log()
    found = prefer_range(1, 3, 0.5)(likely, torch.zeros(2, 0, dtype=torch.int64), torch.arange(2))
    assert found.isfinite().tolist() == [[False, True, True, False], [True] * 4]


@pytest.mark.parametrize("fields", [{"penalty": 0.0}, {"penalty": float("inf")}, {"no_repeat_ngram": -1}])
def test_impossible_repetition_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(DecodingError, match=r"repetition penalty|no_repeat_ngram"):
        Repetition(**fields)  # type: ignore[arg-type]

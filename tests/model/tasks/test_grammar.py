"""Forms of answers: whatever is chosen at every step, the answer can be read and ends in time."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from embodio.model.processing.image import ImageFit
from embodio.model.tasks import AnswerError, FoundBoxes, TaskError
from embodio.model.tasks.grammar import (
    ChoiceRule,
    ItemsRule,
    Legal,
    Rule,
    by_row,
    keypoint_steps,
    location_rule,
    plain_text,
)
from embodio.model.tasks.locations.labelled import Keypoints
from embodio.model.tasks.parsers import parse_boxes, parse_keypoints
from embodio.model.tokens.vocabulary import EOS_ID
from tests.support.model.small import CODEC, VOCABULARY

FIT = ImageFit.of((50, 50), (50, 50))
FIRST_VALUE = VOCABULARY.text_size
NAMES = tuple(tuple(VOCABULARY.encode(name)) for name in ("cat", "cat house", "dog"))


def walk(rule: Rule, seed: int, stop: float = 0.1) -> list[int]:
    """Tokens chosen at random among the legal ones, up to the end."""
    chance = random.Random(seed)
    written: list[int] = []
    while not written or written[-1] != EOS_ID:
        ranges = [ids for ids in rule(written) if len(ids)]
        assert ranges, f"no legal id after {written}"
        if any(EOS_ID in ids for ids in ranges) and chance.random() < stop:
            written.append(EOS_ID)
        else:
            others = [ids for ids in ranges if EOS_ID not in ids]
            written.append(chance.choice(chance.choice(others or ranges)))
    return written


def contains(legal: Legal, token: int) -> bool:
    return any(token in ids for ids in legal)


@given(
    st.integers(0, 2**32),
    st.integers(16, 60),
    st.sampled_from([(), NAMES[:1], NAMES, None]),
    st.booleans(),
)
def test_every_walk_is_places_and_ends_in_time(
    seed: int, longest: int, names: tuple[tuple[int, ...], ...] | None, at_least_one: bool
) -> None:
    written = walk(ItemsRule(VOCABULARY, longest, names, at_least_one=at_least_one), seed)
    assert len(written) <= longest
    assert len(written) > 1 or not at_least_one
    runs = CODEC.split(written)
    assert all(values and not len(values) % 4 for values, _ in runs)
    if names:
        assert {text for _, text in runs} <= {VOCABULARY.decode(name) for name in names}
    if names == ():
        assert not any(text for _, text in runs)
    for values, _ in runs:
        for start in range(0, len(values), 4):
            y1, x1, y2, x2 = (VOCABULARY.value_bin(token) for token in values[start : start + 4])
            assert y1 <= y2 and x1 <= x2
    found = parse_boxes(CODEC, written, FIT, named=names != ())
    assert isinstance(found, (FoundBoxes, AnswerError))


def test_walks_of_places_are_as_long_as_there_is_room() -> None:
    lengths = {len(walk(ItemsRule(VOCABULARY, 21, ()), seed, stop=0.0)) for seed in range(5)}
    assert lengths == {21}
    with pytest.raises(TaskError, match="cannot hold one location; it takes 5"):
        ItemsRule(VOCABULARY, 4, ())


def test_a_name_may_begin_with_another() -> None:
    rule = ItemsRule(VOCABULARY, 40, NAMES)
    place = [FIRST_VALUE] * 4
    legal = rule([*place, *NAMES[0]])
    assert contains(legal, EOS_ID) and contains(legal, FIRST_VALUE) and contains(legal, NAMES[1][len(NAMES[0])])
    assert not contains(rule([*place, *NAMES[1][:-1]]), EOS_ID)


@given(st.integers(0, 2**32))
def test_a_choice_is_one_of_the_answers(seed: int) -> None:
    rule = ChoiceRule(NAMES)
    written = walk(rule, seed)
    assert tuple(written[:-1]) in NAMES and len(written) <= rule.longest


def test_all_keypoints_in_their_order() -> None:
    chance = np.random.default_rng(0)
    written = [int(chance.choice(list(ids))) for ids in keypoint_steps(VOCABULARY)]
    assert written[-1] == EOS_ID
    found = parse_keypoints(CODEC, written, FIT)
    assert isinstance(found, Keypoints) and found.visible.all()


def test_rows_have_rules_of_their_own() -> None:
    form = by_row([ChoiceRule(NAMES[2:]), ItemsRule(VOCABULARY, 30, ())], VOCABULARY.size)
    mask = form(torch.zeros(3, 0, dtype=torch.int64), torch.tensor([1, 0, 1]))
    assert mask is not None and mask.shape == (3, VOCABULARY.size)
    assert mask[1].nonzero().flatten().tolist() == [NAMES[2][0]]
    expected = [EOS_ID, *sorted(VOCABULARY.value_ids.tolist())]
    assert mask[0].nonzero().flatten().tolist() == mask[2].nonzero().flatten().tolist() == expected


def test_plain_text_has_no_special_tokens() -> None:
    mask = plain_text(VOCABULARY)(torch.zeros(1, 0, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
    assert mask is not None and mask[0].nonzero().flatten().tolist() == [EOS_ID, *range(3, VOCABULARY.text_size)]


def scores_with(values: float) -> torch.Tensor:
    """Log-probabilities [1, V] whose value ids have the given probability together."""
    shares = torch.full((1, VOCABULARY.size), (1 - values) / (VOCABULARY.size - 1000))
    shares[:, FIRST_VALUE : FIRST_VALUE + 1000] = values / 1000
    return shares.log()


@pytest.mark.parametrize(("values", "forced"), [(0.2, False), (0.4, True)])
def test_likely_values_push_out_the_rest_where_values_may_stand(values: float, forced: bool) -> None:
    place, row = [FIRST_VALUE] * 4, torch.zeros(1, dtype=torch.int64)
    rule = ItemsRule(VOCABULARY, 40, NAMES[:1])
    form = by_row([rule], VOCABULARY.size)
    complete = torch.tensor([[*place, *NAMES[0]]])
    scores = scores_with(values)
    for threshold_rule in (location_rule(VOCABULARY, 0.3, form), location_rule(VOCABULARY, 0.3, None)):
        found = threshold_rule(scores, complete, row)
        assert bool(found[0, EOS_ID].isneginf()) is forced
        assert found[0, FIRST_VALUE : FIRST_VALUE + 1000].isfinite().all()
    # A place must be followed by its name: there the rule is silent.
    named = location_rule(VOCABULARY, 0.3, form)(scores, torch.tensor([place]), row)
    assert torch.equal(named, scores)
    with pytest.raises(TaskError, match=r"threshold is 1\.5"):
        location_rule(VOCABULARY, 1.5, form)

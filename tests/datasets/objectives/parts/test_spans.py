"""Hidden spans: their share, the text put together again, and the limit of sentinels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.datasets.errors import DatasetError
from embodio.datasets.objectives.parts.spans import (
    UL2,
    Denoiser,
    choose_denoiser,
    corrupt,
    hidden_tokens,
    restore_text,
)
from embodio.model import Vocabulary
from embodio.model.tokens.vocabulary import SENTINELS

VOCABULARY = Vocabulary.default()
DENOISERS = st.builds(
    Denoiser, st.sampled_from(["R", "X", "S"]), st.floats(0.01, 0.99), st.floats(1, 100), st.just(1.0)
)


def spans_of(mask: np.ndarray) -> int:
    return int(np.count_nonzero(np.diff(np.concatenate([[False], mask]).astype(int)) == 1))


@given(st.integers(2, 900), DENOISERS, st.integers(0, 2**32))
def test_the_stated_share_is_hidden_in_spans_that_stay_apart(length: int, denoiser: Denoiser, seed: int) -> None:
    mask = hidden_tokens(length, denoiser, np.random.default_rng(seed))
    hidden = int(mask.sum())
    assert len(mask) == length and 1 <= hidden < length
    if denoiser.paradigm == "S":
        assert mask[length - hidden :].all() and hidden <= max(1, round(2 * denoiser.rate * length))
        return
    assert hidden == min(max(round(denoiser.rate * length), 1), length - 1)
    spans = spans_of(mask)
    assert spans == min(max(round(hidden / denoiser.span), 1), hidden, length - hidden + 1, SENTINELS)


def test_every_place_is_hidden_now_and_then_and_the_middle_evenly() -> None:
    masks = [hidden_tokens(40, Denoiser("R", 0.25, 3.0), np.random.default_rng(seed)) for seed in range(3000)]
    shares = np.mean(masks, axis=0)
    assert shares.min() > 0.06, "the first and the last token are hidden where a text begins or ends with a span"
    assert shares[5:-5].min() > 0.22 and shares.max() < 0.32


@given(st.lists(st.integers(3, 1000), min_size=2, max_size=700), DENOISERS, st.integers(0, 2**32))
def test_prompt_and_target_put_together_are_the_text(ids: list[int], denoiser: Denoiser, seed: int) -> None:
    mask = hidden_tokens(len(ids), denoiser, np.random.default_rng(seed))
    prompt, target = corrupt(ids, mask, denoiser.paradigm, VOCABULARY)
    assert restore_text(prompt, target, VOCABULARY) == ids
    assert len(prompt) + len(target) == len(ids) + 2 * (0 if denoiser.paradigm == "S" else spans_of(mask))


@given(st.integers(2, 2000), DENOISERS, st.integers(0, 999))
def test_what_is_hidden_is_not_in_the_prompt(length: int, denoiser: Denoiser, seed: int) -> None:
    ids = list(range(10_000, 10_000 + length))  # all different, and none of them special
    vocabulary = _Wide()
    mask = hidden_tokens(length, denoiser, np.random.default_rng(seed))
    prompt, target = corrupt(ids, mask, denoiser.paradigm, vocabulary)  # type: ignore[arg-type]
    hidden, given_ids = np.array(ids)[mask].tolist(), np.array(ids)[~mask].tolist()
    assert [token for token in prompt if token >= 10_000] == given_ids
    assert [token for token in target if token >= 10_000] == hidden
    used = [token for token in prompt if token < 10_000]
    assert used == [vocabulary.sentinel_id(index) for index in range(len(used))] and len(used) <= SENTINELS
    assert (denoiser.paradigm == "S") == (not used)


class _Wide:
    """A vocabulary of more ids than ours, so that every token of a text can be another one."""

    def sentinel_id(self, index: int) -> int:
        if not 0 <= index < SENTINELS:
            raise AssertionError("more sentinels than there are")
        return 1000 + index


def test_the_three_paradigms_are_drawn_equally_often() -> None:
    generator = np.random.default_rng(0)
    drawn = [choose_denoiser(tuple(UL2.values()), generator).paradigm for _ in range(6000)]
    for paradigm in "RSX":
        assert drawn.count(paradigm) / 6000 == pytest.approx(1 / 3, abs=0.02)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"paradigm": "Q", "rate": 0.1}, "paradigm"),
        ({"paradigm": "R", "rate": 0.0}, "rate"),
        ({"paradigm": "R", "rate": 1.0}, "rate"),
        ({"paradigm": "R", "rate": 0.1, "span": 0.5}, "span"),
        ({"paradigm": "R", "rate": 0.1, "weight": -1.0}, "weight"),
        ({"paradigm": "R", "rate": float("nan")}, "rate"),
    ],
)
def test_wrong_settings_name_their_field(settings: dict[str, object], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        Denoiser(**settings)  # type: ignore[arg-type]


def test_texts_and_mixtures_that_cannot_be_used_are_refused() -> None:
    generator = np.random.default_rng(0)
    for length in (0, 1):
        with pytest.raises(DatasetError, match="take a longer one"):
            hidden_tokens(length, UL2["r_3"], generator)
    with pytest.raises(DatasetError, match="weight above 0"):
        choose_denoiser([Denoiser("R", 0.1, weight=0.0)], generator)
    with pytest.raises(DatasetError, match="sentinels"):
        restore_text([0, VOCABULARY.sentinel_id(0)], [VOCABULARY.sentinel_id(1), 5], VOCABULARY)

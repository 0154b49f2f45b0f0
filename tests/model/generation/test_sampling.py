"""Samplers: what is cut, what stays, what is drawn how often, and that a row's luck is its own."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from embodio.model import DecodingError
from embodio.model.generation import Sampling
from embodio.model.generation.sampling import draw, keep_top_k, keep_top_p, row_noise, row_seeds

# Multiples of 1/8 make ties common and sums exact enough to compare with.
SCORES = st.lists(st.integers(-80, 80).map(lambda number: number / 8), min_size=1, max_size=12)


def row(values: list[float]) -> Tensor:
    return torch.tensor([values], dtype=torch.float32)


def kept(scores: Tensor) -> list[int]:
    return scores[0].isfinite().nonzero().flatten().tolist()


@given(SCORES, st.integers(1, 14))
def test_top_k_keeps_the_k_largest_and_their_ties(values: list[float], count: int) -> None:
    limit = sorted(values, reverse=True)[min(count, len(values)) - 1]
    cut = keep_top_k(row(values), count)
    assert kept(cut) == [index for index, value in enumerate(values) if value >= limit]
    assert cut[0, kept(cut)].tolist() == [values[index] for index in kept(cut)]


@given(SCORES, st.floats(0.01, 1.0))
def test_top_p_keeps_the_fewest_that_are_enough(values: list[float], probability: float) -> None:
    cut = keep_top_p(row(values), probability)
    shares = torch.tensor(values, dtype=torch.float64).softmax(dim=-1)
    stay = kept(cut)
    assert shares[stay].sum() >= probability - 1e-9
    assert all(shares[stay].sum() - shares[index] < probability + 1e-9 for index in stay)
    gone = [index for index in range(len(values)) if index not in stay]
    assert not gone or max(values[index] for index in gone) <= min(values[index] for index in stay)
    assert int(torch.tensor(values).argmax()) in stay or values.count(max(values)) > 1


@given(SCORES, st.floats(0.05, 5.0), st.integers(1, 12), st.floats(0.05, 1.0))
def test_orders_agree_at_temperature_one_where_top_k_does_not_cut(
    values: list[float], temperature: float, count: int, probability: float
) -> None:
    def restricted(order: str, heat: float, top_k: int | None) -> Tensor:
        sampling = Sampling(temperature=heat, top_k=top_k, top_p=probability, order=order)  # type: ignore[arg-type]
        return sampling.restrict(row(values))

    assert torch.equal(restricted("jax", 1.0, None), restricted("huggingface", 1.0, None))
    # With a temperature, the JAX order cuts as at temperature 1; the other cuts the tempered distribution.
    assert kept(restricted("jax", temperature, count)) == kept(restricted("jax", 1.0, count))
    if 0.99 < temperature < 1.01:
        return
    tempered = keep_top_p(keep_top_k(row(values) / temperature, count), probability)
    assert kept(restricted("huggingface", temperature, count)) == kept(tempered)


def test_orders_differ_with_a_temperature() -> None:
    scores = torch.tensor([[0.6, 0.3, 0.1]]).log()
    assert kept(Sampling(temperature=4.0, top_p=0.6).restrict(scores)) == [0]
    assert kept(Sampling(temperature=4.0, top_p=0.6, order="huggingface").restrict(scores)) == [0, 1]


@given(SCORES, st.floats(0.0, 1.0, exclude_max=True))
def test_a_drawn_id_is_possible_and_where_its_share_lies(values: list[float], noise: float) -> None:
    scores = row(values)
    scores[0, 2::2] = -torch.inf
    chosen = int(draw(scores, torch.tensor([noise], dtype=torch.float64)))
    shares = scores[0].double().softmax(dim=-1)
    assert shares[chosen] > 0
    assert shares[:chosen].sum() <= noise + 1e-9
    assert shares[: chosen + 1].sum() >= noise - 1e-9


@pytest.mark.parametrize("noise", [0.0, 0.5, math.nextafter(1.0, 0.0)])
def test_impossible_ids_at_both_ends_are_never_drawn(noise: float) -> None:
    scores = torch.full((1, 50), -torch.inf)
    scores[0, 20:23] = torch.tensor([0.1, 0.2, 0.3])
    assert 20 <= int(draw(scores, torch.tensor([noise], dtype=torch.float64))) <= 22


def test_frequencies_are_the_tempered_probabilities() -> None:
    count, temperature = 20_000, 0.7
    scores = torch.tensor([0.0, 1.0, 2.0, -1.0, 0.5])
    noise = row_noise([3], count)[0]
    drawn = draw(Sampling(temperature=temperature).restrict(scores.expand(count, -1)), noise)
    expected = (scores / temperature).softmax(dim=-1)
    deviation = (drawn.bincount(minlength=5) / count - expected).abs() / (expected * (1 - expected) / count).sqrt()
    assert deviation.max() < 4.0


def test_a_very_small_temperature_is_greedy() -> None:
    scores = torch.randn(20, 100, generator=torch.Generator().manual_seed(0)) * 1e6
    drawn = draw(Sampling(temperature=1e-6).restrict(scores), row_noise(range(20), 1)[:, 0])
    assert torch.equal(drawn, scores.argmax(dim=-1))


@settings(max_examples=20)
@given(st.lists(st.integers(0, 2**32), min_size=1, max_size=5), st.integers(1, 40))
def test_noise_of_a_row_depends_on_its_seed_alone(seeds: list[int], count: int) -> None:
    noise = row_noise(seeds, count)
    assert noise.shape == (len(seeds), count) and noise.min() >= 0.0 and noise.max() < 1.0
    for index, seed in enumerate(seeds):
        assert torch.equal(noise[index], row_noise([seed], count)[0])


def test_seeds() -> None:
    assert row_seeds(7, 3) == [7, 8, 9]
    assert row_seeds([4, 4], 2) == [4, 4]
    with pytest.raises(DecodingError, match="1 seeds were given for 2 rows"):
        row_seeds([4], 2)
    row_noise(row_seeds([-(2**63), 2**63 - 1], 2), 3)
    for wrong in (2**63, -(2**63) - 1, [0, 2**64], [1, 1.5], [1, "2"], 2**63 - 1):
        with pytest.raises(DecodingError, match=r"seeds: expected whole numbers from -2\*\*63"):
            row_seeds(wrong, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"temperature": 0.0}, "decode greedily"),
        ({"temperature": float("nan")}, "temperature nan"),
        ({"top_k": 0}, "top_k 0"),
        ({"top_p": 0.0}, "top_p 0.0"),
        ({"top_p": 1.5}, "top_p 1.5"),
        ({"order": "random"}, "choose 'jax' or 'huggingface'"),
    ],
)
def test_impossible_settings_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(DecodingError, match=message):
        Sampling(**fields)  # type: ignore[arg-type]

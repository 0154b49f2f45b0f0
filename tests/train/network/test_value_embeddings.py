"""First embeddings of the value tokens."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.nn.functional import cosine_similarity

from embodio.agent.format.robot_formats import RobotFormats
from embodio.model.config.model import ModelConfig
from embodio.model.network.network import UnifiedIO2
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.train.config import TrainConfig
from embodio.train.experiments.policy.network import make_network
from embodio.train.network.value_embeddings import smooth_value_embeddings, wave_value_embeddings
from tests.support.agent.policies import make_format

VOCABULARY = Vocabulary.default()
IDS = torch.as_tensor(VOCABULARY.value_ids.copy())


@pytest.fixture
def model() -> UnifiedIO2:
    return UnifiedIO2(ModelConfig.named("nano", vocab_size=VOCABULARY.padded_size))


@pytest.mark.parametrize(("draw", "setting"), [(smooth_value_embeddings, 6.0), (wave_value_embeddings, 40.0)])
def test_no_other_rows_change(draw: Callable[..., None], setting: float, model: UnifiedIO2) -> None:
    table = model.text_embedding.weight.detach()
    before = table.clone()
    draw(model, VOCABULARY, 0.0, seed=1)
    assert torch.equal(table, before)
    draw(model, VOCABULARY, setting, seed=1)
    others = torch.ones(len(table), dtype=torch.bool)
    others[IDS] = False
    assert torch.equal(table[others], before[others]) and not torch.equal(table, before)


def test_neighbouring_values_begin_alike(model: UnifiedIO2) -> None:
    table = model.text_embedding.weight.detach()
    smooth_value_embeddings(model, VOCABULARY, 6.0, seed=1)
    values = table[IDS]
    assert cosine_similarity(values[1:], values[:-1]).min() > 0.95
    assert cosine_similarity(values[100:], values[:-100]).abs().mean() < 0.15
    assert 0.9 < values.std() < 1.1

    again = values.clone()
    smooth_value_embeddings(model, VOCABULARY, 6.0, seed=2)
    assert not torch.equal(table[IDS], again)


def test_waves_tell_values_apart_at_every_scale(model: UnifiedIO2) -> None:
    wave_value_embeddings(model, VOCABULARY, 40.0, seed=1)
    values = model.text_embedding.weight.detach()[IDS]
    alike = [cosine_similarity(values[away:], values[: len(values) - away]).mean() for away in (1, 10, 100, 500)]
    assert alike == sorted(alike, reverse=True) and alike[0] > 0.95 and alike[2] > 0.1
    assert torch.allclose(values.square().mean(1), torch.ones(len(values)), atol=0.05)


def test_a_policy_may_begin_with_waves() -> None:
    robots = RobotFormats(make_format())
    plain, waves = (
        make_network(TrainConfig(data="data", out="run", value_wavelength=length), robots) for length in (0.0, 40.0)
    )
    ids = torch.as_tensor(robots.vocabulary.value_ids)
    values = [one.text_embedding.weight.detach()[ids] for one in (plain, waves)]
    apart = [cosine_similarity(one[100:], one[:-100]).mean() for one in values]
    assert apart[0].abs() < 0.05 < 0.1 < apart[1]

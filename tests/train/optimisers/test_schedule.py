"""Schedules of the learning rate, and parameters that are frozen at first."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn

from embodio.model.config.model import ModelConfig
from embodio.model.network.network import UnifiedIO2
from embodio.train.errors import TrainError
from embodio.train.optimisers.config import OptimiserConfig
from embodio.train.optimisers.schedule import Freezing, learning_rate, release_towers


def test_a_cosine_rises_then_falls_to_its_last_share() -> None:
    config = OptimiserConfig(learning_rate=1.0, warmup=10, final=0.1)
    rates = [learning_rate(step, 100, config) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == pytest.approx(1.0)
    assert all(a >= b for a, b in itertools.pairwise(rates[9:]))
    assert rates[100] == pytest.approx(0.1)


@pytest.mark.parametrize("warmup", [5000, 1, 0])
def test_inverse_square_root_is_that_of_the_paper(warmup: int) -> None:
    """base * min(1, k / w) / sqrt(max(k, w)), at least 1e-8; the paper's peak is 1 / sqrt(5000) = 0.0141."""
    config = OptimiserConfig(learning_rate=1.0, warmup=warmup, schedule="inverse_square_root")
    w = max(1, warmup)
    for k in (1, 2, 4999, 5000, 5001, 1_500_000):
        expected = min(1.0, k / w) / math.sqrt(max(k, w))
        assert learning_rate(k - 1, 10, config) == pytest.approx(expected, rel=1e-12)
    assert learning_rate(max(0, warmup - 1), 10, config) == pytest.approx(w**-0.5)
    tiny = OptimiserConfig(learning_rate=1e-9, warmup=warmup, schedule="inverse_square_root")
    assert learning_rate(7, 10, tiny) == 1e-8


def test_constant_stays_after_the_warm_up() -> None:
    config = OptimiserConfig(learning_rate=3.0, warmup=3, schedule="constant")
    assert [learning_rate(step, 10, config) for step in range(5)] == [1.0, 2.0, 3.0, 3.0, 3.0]


def towers() -> nn.ModuleDict:
    return nn.ModuleDict({"towers": nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)]), "decoder": nn.Linear(2, 2)})


def test_parameters_are_released_after_their_share_of_the_steps() -> None:
    model = towers()
    freezing = Freezing(model, {"towers.0.bias": 1.0, "towers.0.*": 0.5, "towers.*": 0.9})

    def learning(step: int) -> set[str]:
        freezing.apply(step, 10)
        return {name for name, parameter in model.named_parameters() if parameter.requires_grad}

    always, middle = {"decoder.weight", "decoder.bias"}, {"towers.0.weight"}
    last = {"towers.1.weight", "towers.1.bias"}
    assert [learning(step) for step in (0, 4, 5, 8, 9)] == [
        always,
        always,
        always | middle,
        always | middle,
        always | middle | last,
    ]
    assert learning(0) == always


def test_patterns_without_meaning_are_refused() -> None:
    with pytest.raises(TrainError, match=r"freeze: 'tower\.\*' matches no parameter .* one of towers\*, decoder\*"):
        Freezing(towers(), {"tower.*": 0.5})
    model = towers()
    model["decoder"].requires_grad_(False)
    with pytest.raises(TrainError, match="freeze: 'decoder"):
        Freezing(model, {"decoder.*": 0.5})
    with pytest.raises(TrainError, match="every parameter is frozen"):
        Freezing(towers(), {"*": 0.5})
    Freezing(towers(), {"*": 0.0})


def test_frozen_parameters_take_no_part_in_the_backward_pass() -> None:
    model = towers()
    Freezing(model, {"towers.*": 1.0}).apply(3, 10)
    x = model["decoder"](model["towers"][1](model["towers"][0](torch.ones(1, 2))))
    x.sum().backward()
    assert model["towers"][0].weight.grad is None and model["decoder"].weight.grad is not None


def test_towers_that_a_size_freezes_learn_from_the_named_share_of_the_steps_on() -> None:
    model = UnifiedIO2(ModelConfig.named("nano", vocab_size=128).replace(freeze_vit=True))
    release_towers(model, {"*.norm.*": 0.5})
    assert not any(parameter.requires_grad for parameter in model.towers.parameters())
    freeze = {"towers.image.*": 0.5}
    release_towers(model, freeze)
    freezing = Freezing(model, freeze)
    batch = {"inputs/image/input": torch.randn(1, 72, 768), "targets/text/targets": torch.ones(1, 2, dtype=torch.int64)}
    for step, learn in ((0, False), (4, False), (5, True)):
        freezing.apply(step, 10)
        model.loss(model(batch)).total.backward()
        assert all((parameter.grad is not None) == learn for parameter in model.towers.parameters())

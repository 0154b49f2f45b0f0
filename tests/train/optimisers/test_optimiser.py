"""Schedule, decay groups and the running average of the weights."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from embodio.train.optimisers.config import OptimiserConfig
from embodio.train.optimisers.optimiser import WeightAverage, learning_rate, make_optimiser


def test_the_rate_rises_then_falls_to_its_last_share() -> None:
    config = OptimiserConfig(learning_rate=1.0, warmup=10, final=0.1)
    rates = [learning_rate(step, 100, config) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == pytest.approx(1.0)
    assert all(a >= b for a, b in itertools.pairwise(rates[9:]))
    assert rates[100] == pytest.approx(0.1)


def test_only_matrices_are_decayed() -> None:
    model = nn.ModuleDict({"table": nn.Embedding(4, 3), "linear": nn.Linear(3, 2), "norm": nn.LayerNorm(3)})
    optimiser = make_optimiser(model, OptimiserConfig(weight_decay=0.5))
    decayed = {id(p) for p in optimiser.param_groups[0]["params"]}
    assert decayed == {id(model["linear"].weight)}
    assert optimiser.param_groups[0]["weight_decay"] == 0.5
    assert optimiser.param_groups[1]["weight_decay"] == 0.0


def test_the_average_follows_and_swaps() -> None:
    model = nn.Linear(2, 2)
    average = WeightAverage(model, decay=0.9)
    start = model.weight.detach().clone()
    with torch.no_grad():
        model.weight.add_(1.0)
    average.update(step=10_000)
    torch.testing.assert_close(average.values["weight"], start + 0.1)
    average.swap()
    torch.testing.assert_close(model.weight.detach(), start + 0.1)
    average.swap()
    torch.testing.assert_close(model.weight.detach(), start + 1.0)
    torch.testing.assert_close(average.values["weight"], start + 0.1)

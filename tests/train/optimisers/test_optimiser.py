"""Optimisers by name, what they decay, their state by name, and the running average of the weights."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from embodio.train.command_line.schema import UsageError
from embodio.train.errors import TrainError
from embodio.train.optimisers.adafactor import Adafactor
from embodio.train.optimisers.config import AdafactorConfig, OptimiserConfig
from embodio.train.optimisers.optimiser import (
    WeightAverage,
    make_optimiser,
    optimiser_state,
    restore_optimiser,
    set_rate,
)

NAMES = ["adamw", "adafactor", "SGD", "nadam", "RMSprop", "Rprop", "ASGD", "Adamax", "Adagrad", "RAdam", "Adadelta"]


def network() -> nn.ModuleDict:
    torch.manual_seed(0)
    return nn.ModuleDict({"table": nn.Embedding(4, 3), "linear": nn.Linear(3, 2), "norm": nn.LayerNorm(3)})


def train(model: nn.ModuleDict, optimiser: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        optimiser.zero_grad()
        for name, parameter in model.named_parameters():
            if step % 2 or not name.startswith("norm"):  # as a frozen parameter, which has no gradient
                parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimiser.step()


@pytest.mark.parametrize("name", NAMES)
def test_every_optimiser_goes_on_to_the_bit_from_its_state_by_name(name: str) -> None:
    """Though the groups of the other one are in another order, and with numbers as well as tensors."""
    options = {"momentum": 0.9, "nesterov": 1} if name == "SGD" else {}
    config = OptimiserConfig(name=name, learning_rate=0.01, options=options)
    whole, begun = network(), network()
    train(whole, make_optimiser(whole, config), range(7))
    first = make_optimiser(begun, config)
    train(begun, first, range(3))
    kept = copy.deepcopy(optimiser_state(first, begun))
    assert set(kept) <= {name for name, _ in begun.named_parameters()} and kept
    second = make_optimiser(begun, config)
    restore_optimiser(second, begun, kept)
    train(begun, second, range(3, 7))
    for (key, one), (_, other) in zip(whole.named_parameters(), begun.named_parameters(), strict=True):
        assert torch.equal(one, other), key


def test_settings_arrive_at_the_optimiser() -> None:
    own = AdafactorConfig(beta1=0.0, decay=0.7, clip=2.0, eps1=1e-20, eps2=1e-2)
    found = make_optimiser(network(), OptimiserConfig(name="adafactor", adafactor=own))
    assert isinstance(found, Adafactor)
    assert {key: found.defaults[key] for key in vars(own)} == vars(own)
    other = make_optimiser(network(), OptimiserConfig(name="nadam", options={"beta2": 0.5, "weight_decay": 0.1}))
    assert isinstance(other, torch.optim.NAdam)
    assert other.param_groups[0]["betas"] == (0.9, 0.5)
    assert [group["weight_decay"] for group in other.param_groups] == [0.1, 0.0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "lbfgs"}, "got 'lbfgs', expected adamw, adafactor or one of torch.optim: .*SGD"),
        ({"name": "SparseAdam"}, "expected adamw"),
        ({"name": "SGD", "options": {"momentun": 0.9}}, "options.momentun: SGD has momentum"),
        ({"name": "SGD", "options": {"nesterov": 1}}, "SGD refuses them"),
        ({"rates": {"lin*": 0.1, "towers.*": 1}}, "optimiser.rates: 'towers.\\*' matches no parameter .*table\\*"),
    ],
)
def test_what_cannot_be_made_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainError, match=message):
        make_optimiser(network(), OptimiserConfig(**changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "adafactor", "beta2": 0.9}, "optimiser.beta2: it is a setting of adamw"),
        ({"adafactor": AdafactorConfig(beta1=0.5)}, "optimiser.adafactor: .* but optimiser.name=adamw"),
        ({"options": {"momentum": 0.9}}, "optimiser.options: adamw has settings of its own"),
        ({"schedule": "linear"}, "optimiser.schedule: got 'linear', expected one of cosine"),
        ({"rates": {"*": -1.0}}, "optimiser.rates: got -1.0 for"),
    ],
)
def test_settings_without_effect_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        OptimiserConfig(**changes)


def test_some_parameters_learn_more_slowly() -> None:
    model = network()
    optimiser = make_optimiser(model, OptimiserConfig(rates={"linear.bias": 0.5, "linear.*": 0.1}))
    set_rate(optimiser, 2.0)
    rates = {id(one): group["lr"] for group in optimiser.param_groups for one in group["params"]}
    found = {name: rates[id(parameter)] for name, parameter in model.named_parameters()}
    assert found == {"table.weight": 2, "linear.weight": 0.2, "linear.bias": 1, "norm.weight": 2, "norm.bias": 2}


def test_the_state_of_other_parameters_is_refused() -> None:
    model = network()
    with pytest.raises(TrainError, match=r"of other\.weight, which is not trained here"):
        restore_optimiser(make_optimiser(model, OptimiserConfig()), model, {"other.weight": {}})


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

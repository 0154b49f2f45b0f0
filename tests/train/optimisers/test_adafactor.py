"""Adafactor, step by step against the formulas in float64, with its memory, its resuming, and what it refuses."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from embodio.train.errors import TrainError
from embodio.train.optimisers.adafactor import Adafactor, factored_dimensions

SHAPES = [(130, 140), (140, 130), (127, 300), (5,), (3, 128, 129), (4, 4), ()]


class Plain:
    """Adafactor written out for one parameter, in float64."""

    def __init__(self, value: np.ndarray, beta1: float) -> None:
        self.value, self.beta1, self.k = value.astype(np.float64), beta1, 0
        self.momentum = np.zeros_like(self.value)
        order = sorted(range(value.ndim), key=lambda index: (-value.shape[index], index))
        self.axes = tuple(order[:2]) if value.ndim > 1 and value.shape[order[1]] >= 128 else None
        self.moments = [np.zeros(()), np.zeros(())]

    def step(self, gradient: np.ndarray, rate: float) -> None:
        self.k += 1
        gradient = gradient.astype(np.float64)
        beta2, squared = 1 - self.k**-0.8, gradient**2 + 1e-30
        if self.axes is None:
            self.moments[0] = beta2 * self.moments[0] + (1 - beta2) * squared
            update = gradient / np.sqrt(self.moments[0])
        else:
            means = [squared.mean(axis=axis, keepdims=True) for axis in self.axes]
            self.moments = [beta2 * old + (1 - beta2) * new for old, new in zip(self.moments, means, strict=True)]
            overall = self.moments[0].mean(axis=self.axes[1], keepdims=True)
            update = gradient / np.sqrt(self.moments[0] * self.moments[1] / overall)
        update /= max(1.0, np.sqrt((update**2).mean()))
        update *= rate * max(np.sqrt((self.value**2).mean()), 1e-3)
        self.momentum = self.beta1 * self.momentum + (1 - self.beta1) * update
        self.value = self.value - self.momentum


@pytest.mark.parametrize("beta1", [0.9, 0.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_step_is_that_of_the_formulas(shape: tuple[int, ...], beta1: float) -> None:
    rng = np.random.default_rng(0)
    first = np.asarray(rng.normal(size=shape) * 0.3)
    parameter = torch.nn.Parameter(torch.tensor(first, dtype=torch.float32))
    optimiser, plain = Adafactor([parameter], lr=0.01, beta1=beta1), Plain(first, beta1)
    for step in range(12):
        gradient = np.asarray(rng.normal(size=shape) * 10.0 ** rng.uniform(-6, 3))
        rate = 0.01 / np.sqrt(1 + step)
        optimiser.param_groups[0]["lr"] = rate
        parameter.grad = torch.tensor(gradient, dtype=torch.float32)
        optimiser.step()
        plain.step(gradient, rate)
        np.testing.assert_allclose(parameter.detach().numpy(), plain.value, rtol=2e-5, atol=2e-6)


def test_large_matrices_keep_rows_and_columns_only() -> None:
    parameter = torch.nn.Parameter(torch.randn(256, 512))
    optimiser = Adafactor([parameter], lr=0.01, beta1=0.0)
    parameter.grad = torch.randn(256, 512)
    optimiser.step()
    kept = sum(value.numel() for value in optimiser.state[parameter].values())
    assert kept == 256 + 512 + 1
    assert factored_dimensions(torch.Size([512, 3, 128])) == (2, 0)
    assert factored_dimensions(torch.Size([512, 127])) is None


def test_it_goes_on_to_the_bit_from_its_state() -> None:
    torch.manual_seed(0)
    parameters = [torch.nn.Parameter(torch.randn(130, 128)), torch.nn.Parameter(torch.randn(7))]
    gradients = [[torch.randn_like(one) for one in parameters] for _ in range(6)]

    def run(values: list[torch.nn.Parameter], optimiser: Adafactor, steps: range) -> None:
        for step in steps:
            for value, gradient in zip(values, gradients[step], strict=True):
                value.grad = gradient.clone()
            optimiser.step()

    whole = copy.deepcopy(parameters)
    run(whole, Adafactor(whole, lr=0.02), range(6))
    begun = copy.deepcopy(parameters)
    first = Adafactor(begun, lr=0.02)
    run(begun, first, range(3))
    second = Adafactor(begun, lr=0.5)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    run(begun, second, range(3, 6))
    for one, other in zip(whole, begun, strict=True):
        assert torch.equal(one, other)


def test_it_learns() -> None:
    torch.manual_seed(0)
    inputs, weight = torch.randn(256, 160), torch.randn(160, 160)
    model = torch.nn.Linear(160, 160, bias=False)
    optimiser = Adafactor(model.parameters(), lr=0.1)
    losses = []
    for _ in range(300):
        loss = (model(inputs) - inputs @ weight).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize("wrong", [{"beta1": 1.0}, {"decay": 0.0}, {"clip": 0.0}, {"eps1": 0.0}, {"lr": -1.0}])
def test_wrong_numbers_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(TrainError, match="optimiser"):
        Adafactor([torch.nn.Parameter(torch.zeros(2))], **({"lr": 0.1} | wrong))

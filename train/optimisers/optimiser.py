"""AdamW, its learning-rate schedule, and the running average of the weights."""

from __future__ import annotations

import math

import torch
from torch import nn

from embodio.train.optimisers.config import OptimiserConfig


def make_optimiser(model: nn.Module, config: OptimiserConfig) -> torch.optim.AdamW:
    """AdamW over the trainable parameters; only matrices of linear layers are decayed."""
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    decayed: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        is_matrix = parameter.ndim == 2 and id(parameter) not in tables and name.endswith("weight")
        (decayed if is_matrix else plain).append(parameter)
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    betas = (config.beta1, config.beta2)
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=betas, fused=True)


def learning_rate(step: int, steps: int, config: OptimiserConfig) -> float:
    """Rate of optimiser step number `step` (0, 1, ...) of `steps`: linear warm-up, then half a cosine."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    progress = (step - config.warmup) / max(1, steps - config.warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return config.learning_rate * (config.final + (1 - config.final) * cosine)


class WeightAverage:
    """Exponential running average of the weights; early on it forgets faster, so that it holds no initial weights.

    Args:
        model: whose parameters are averaged.
        decay: share of the average that a step keeps, in the long run.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._decay = decay
        self._source = dict(model.named_parameters())
        self.values = {name: parameter.detach().clone() for name, parameter in self._source.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Adds the weights after optimiser step number `step` (0, 1, ...)."""
        decay = min(self._decay, (1 + step) / (10 + step))
        sources = [parameter.detach() for parameter in self._source.values()]
        torch._foreach_lerp_(list(self.values.values()), sources, 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchanges weights and average; call it twice to evaluate, or save, with the average in between."""
        for name, parameter in self._source.items():
            kept = parameter.detach().clone()
            parameter.copy_(self.values[name])
            self.values[name].copy_(kept)

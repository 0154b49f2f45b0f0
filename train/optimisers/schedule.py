"""Schedules: how fast a parameter learns at each step, and from which step on it learns at all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase

from torch import nn

from embodio.train.errors import TrainError
from embodio.train.optimisers.config import OptimiserConfig

LEAST_RATE = 1e-8
"""Lower bound of schedule=inverse_square_root, as in the code the paper was trained with."""


def learning_rate(step: int, steps: int, config: OptimiserConfig) -> float:
    """Rate of optimiser step number `step` (0, 1, ...) of `steps`: a linear warm-up, then `config.schedule`.

    With k = step + 1 and w warm-up steps, inverse_square_root is base * min(1, k / w) / sqrt(max(k, w)).
    """
    peak, warmup = config.learning_rate, config.warmup
    if config.schedule == "inverse_square_root":
        count, warmup = step + 1, max(1, warmup)
        return max(LEAST_RATE, peak * min(1.0, count / warmup) / math.sqrt(max(count, warmup)))
    if step < warmup:
        return peak * (step + 1) / warmup
    if config.schedule == "constant":
        return peak
    progress = (step - warmup) / max(1, steps - warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return peak * (config.final + (1 - config.final) * cosine)


def by_pattern(names: list[str], values: Mapping[str, float], setting: str) -> dict[str, float]:
    """Name of a parameter -> the value of the first pattern that matches it; without those that none matches.

    Args:
        names: of the parameters that are trained.
        values: pattern, with * and ?, -> value.
        setting: the key of `values`, for the error.

    Raises:
        TrainError: a pattern matches no name.
    """
    for pattern in values:
        if not any(fnmatchcase(name, pattern) for name in names):
            parts = dict.fromkeys(".".join(name.split(".")[:-1]) or name for name in names)
            tops = ", ".join(dict.fromkeys(f"{part.split('.')[0]}*" for part in parts))
            raise TrainError(
                f"{setting}: {pattern!r} matches no parameter that is trained. Names begin with one of {tops}"
            )
    first = {name: next((value for key, value in values.items() if fnmatchcase(name, key)), None) for name in names}
    return {name: value for name, value in first.items() if value is not None}


def release_towers(model: nn.Module, freeze: Mapping[str, float]) -> None:
    """Lets towers that the size of a network freezes learn, where a pattern of `freeze` names them and says when.

    Args:
        model: the network, before its optimiser is made.
        freeze: as for `Freezing`; patterns that do not begin with towers leave what the size freezes as it is.
    """
    for name, parameter in model.named_parameters():
        if any(key.startswith("towers.") and fnmatchcase(name, key) for key in freeze):
            parameter.requires_grad_(True)


class Freezing:
    """Parameters that do not learn until a share of the steps is done; then they are trained like the others.

    A frozen parameter has no gradient, so the backward pass leaves out what only it would need, and neither optimiser
    nor decay of weights touches it.

    Args:
        model: the network, at step 0.
        freeze: pattern of names -> share of the steps; 1 freezes for good.

    Raises:
        TrainError: a pattern matches no trained parameter, or nothing would learn in the first step.
    """

    def __init__(self, model: nn.Module, freeze: Mapping[str, float]) -> None:
        trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
        shares = by_pattern(list(trained), freeze, "freeze")
        if trained and all(shares.get(name) for name in trained):
            raise TrainError("freeze: every parameter is frozen in the first step; leave some to learn")
        self._frozen = [(trained[name], share) for name, share in shares.items()]

    def apply(self, step: int, steps: int) -> None:
        """Freezes and releases for optimiser step number `step` (0, 1, ...) of `steps`."""
        for parameter, share in self._frozen:
            parameter.requires_grad_(step >= share * steps)

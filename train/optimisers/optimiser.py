"""Optimisers by name, their state by the names of parameters, and the running average of the weights."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from embodio.train.errors import TrainError
from embodio.train.optimisers.adafactor import Adafactor
from embodio.train.optimisers.config import OptimiserConfig
from embodio.train.optimisers.schedule import by_pattern
from embodio.train.optimisers.sharded_tensors import local

FACTOR = "factor"
"""The key of a group's factor on the learning rate."""

State = dict[str, dict[str, Any]]
"""Name of a parameter -> what the optimiser keeps of it: tensors and numbers by name."""


def make_optimiser(model: nn.Module, config: OptimiserConfig) -> torch.optim.Optimizer:
    """The optimiser over the parameters that are trained; only matrices of linear layers are decayed.

    Raises:
        TrainError: torch has no such optimiser, it cannot be used here, or it has no such option; or a pattern of
            `config.rates` matches no parameter.
    """
    if config.name == "adafactor":
        return Adafactor(_groups(model, config, None), config.learning_rate, **dataclasses.asdict(config.adafactor))
    if config.name == "adamw":
        betas = (config.beta1, config.beta2)
        groups = _groups(model, config, config.weight_decay)
        return torch.optim.AdamW(groups, lr=config.learning_rate, betas=betas, fused=True)
    kind = _class_named(config.name)
    options = _options(kind, config.options)
    groups = _groups(model, config, options.pop("weight_decay", None))
    try:
        optimiser: torch.optim.Optimizer = kind(groups, lr=config.learning_rate, **options)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TrainError(f"optimiser.options: {config.name} refuses them ({error})") from error
    return optimiser


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Sets the learning rate of the next step, times the factor of each group."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group.get(FACTOR, 1.0)


def _groups(model: nn.Module, config: OptimiserConfig, decay: float | None) -> list[dict[str, Any]]:
    """Trained parameters by factor and by whether they are decayed; `decay` is None where there is no such thing."""
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    factors = by_pattern(list(trained), config.rates, "optimiser.rates")
    groups: dict[float, tuple[list[nn.Parameter], list[nn.Parameter]]] = {1.0: ([], [])}
    for name, parameter in trained.items():
        is_matrix = parameter.ndim == 2 and id(parameter) not in tables and name.endswith("weight")
        decayed, plain = groups.setdefault(factors.get(name, 1.0), ([], []))
        (decayed if is_matrix else plain).append(parameter)
    found: list[dict[str, Any]] = []
    for factor, both in groups.items():
        for members, own in zip(both, (decay, 0.0), strict=True):
            if members:
                found.append({"params": members, FACTOR: factor} | ({} if decay is None else {"weight_decay": own}))
    return found


def _class_named(name: str) -> Any:
    """A class of torch.optim by its name, in any case."""
    kinds = {key.lower(): kind for key, kind in vars(torch.optim).items() if inspect.isclass(kind)}
    usable = {
        key: kind
        for key, kind in kinds.items()
        if issubclass(kind, torch.optim.Optimizer) and kind is not torch.optim.Optimizer and _steps_alone(kind)
    }
    if name.lower() not in usable:
        known = ", ".join(sorted({kind.__name__ for kind in usable.values()}))
        raise TrainError(f"optimiser.name: got {name!r}, expected adamw, adafactor or one of torch.optim: {known}")
    return usable[name.lower()]


def _steps_alone(kind: Any) -> bool:
    """Whether a step needs nothing but gradients: not the loss again, and no sparse ones."""
    step = inspect.signature(kind.step).parameters.get("closure")
    return kind.__name__ != "SparseAdam" and (step is None or step.default is not inspect.Parameter.empty)


def _options(kind: Any, given: Mapping[str, float]) -> dict[str, Any]:
    """Arguments of an optimiser's class in their own types; beta1 and beta2 stand for its betas."""
    parameters = inspect.signature(kind).parameters
    known = {name: one.default for name, one in parameters.items() if name not in ("params", "lr")}
    options = dict[str, Any](given)
    if "betas" in known and {"beta1", "beta2"} & set(options):
        first, second = known["betas"]
        options["betas"] = (options.pop("beta1", first), options.pop("beta2", second))
    for name, value in options.items():
        if name not in known:
            named = ["beta1", "beta2"] * ("betas" in known) + [one for one in known if one != "betas"]
            raise TrainError(f"optimiser.options.{name}: {kind.__name__} has {', '.join(named)}")
        if isinstance(known[name], int) and value == int(value):
            options[name] = type(known[name])(value)
    return options


def optimiser_state(optimiser: torch.optim.Optimizer, model: nn.Module) -> State:
    """What an optimiser keeps of each parameter of the network that has been updated, by its name."""
    names: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
    return {names[parameter]: dict(kept) for parameter, kept in optimiser.state.items() if kept}


def restore_optimiser(optimiser: torch.optim.Optimizer, model: nn.Module, state: State) -> None:
    """Gives an optimiser the state of another one over the same network, on the devices of the parameters.

    Raises:
        TrainError: the state is of other parameters.
    """
    names = {parameter: name for name, parameter in model.named_parameters()}
    given = [names[parameter] for group in optimiser.param_groups for parameter in group["params"]]
    if strange := [name for name in state if name not in given]:
        raise TrainError(f"optimiser: the state is of {strange[0]}, which is not trained here")
    numbered = {number: state[name] for number, name in enumerate(given) if name in state}
    optimiser.load_state_dict({"state": numbered, "param_groups": optimiser.state_dict()["param_groups"]})


class WeightAverage:
    """Exponential running average of the weights; early on it forgets faster, so that it holds no initial weights.

    Args:
        model: whose parameters are averaged.
        decay: share of the average that a step keeps, in the long run.
        fixed: names of parameters that never change and need no average.
    """

    def __init__(self, model: nn.Module, decay: float, fixed: Collection[str] = ()) -> None:
        self._decay = decay
        self._source = {name: one for name, one in model.named_parameters() if name not in fixed}
        self.values: dict[str, Tensor] = {name: one.detach().clone() for name, one in self._source.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Adds the weights after optimiser step number `step` (0, 1, ...)."""
        decay = min(self._decay, (1 + step) / (10 + step))
        sources = [local(parameter.detach()) for parameter in self._source.values()]
        torch._foreach_lerp_([local(value) for value in self.values.values()], sources, 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchanges weights and average; call it twice to evaluate, or save, with the average in between."""
        for name, parameter in self._source.items():
            kept = parameter.detach().clone()
            parameter.copy_(self.values[name])
            self.values[name].copy_(kept)

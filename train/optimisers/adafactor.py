"""Adafactor with momentum, as the paper trains (section 3.5): second moments of rows and columns only.

With k = 1, 2, ... the number of the step, g the gradient of a parameter p and beta2 = 1 - k^-0.8:

    rows, columns   averages of g^2 + eps1 over columns and rows, decayed by beta2; all entries for small parameters
    u               g / sqrt(rows * columns / mean(rows)), divided by max(1, rms(u) / clip)
    m               beta1 m + (1 - beta1) rate max(rms(p), eps2) u
    p               p - m

Shazeer and Stern, arXiv 1804.04235; the order of momentum and scale is that of the code the paper was trained with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from embodio.train.errors import TrainError
from embodio.train.optimisers.sharded_tensors import spread_like, whole

FACTORED_FROM = 128
"""The two largest dimensions of a parameter are factored if both are at least this."""


class Adafactor(torch.optim.Optimizer):
    """Adafactor over parameters or groups of them.

    Args:
        params: as for any optimiser of torch.
        lr: the relative rate, multiplied by the root mean square of each parameter.
        beta1: decay of the momentum; 0 keeps none, which saves its memory.
        decay: exponent of the decay of the second moment.
        clip: largest root mean square of an update before it is scaled.
        eps1: added to squared gradients.
        eps2: lower bound of a parameter's root mean square.

    Raises:
        TrainError: a number is out of range.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        *,
        beta1: float = 0.9,
        decay: float = 0.8,
        clip: float = 1.0,
        eps1: float = 1e-30,
        eps2: float = 1e-3,
    ) -> None:
        if not 0.0 <= beta1 < 1.0 or not 0.0 < decay <= 1.0:
            raise TrainError(f"optimiser: beta1 {beta1} must be in [0, 1) and decay {decay} in (0, 1]")
        if not (lr >= 0.0 and clip > 0.0 and eps1 > 0.0 and eps2 >= 0.0):
            raise TrainError(f"optimiser: got lr {lr}, clip {clip}, eps1 {eps1}, eps2 {eps2}; expected them above 0")
        super().__init__(params, {"lr": lr, "beta1": beta1, "decay": decay, "clip": clip, "eps1": eps1, "eps2": eps2})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)
        return loss

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state |= _first_state(parameter, momentum=group["beta1"] > 0.0)
        state["step"] += 1
        beta2 = 1.0 - float(state["step"]) ** -group["decay"]
        update = _normalised(gradient, state, beta2, group["eps1"])
        update /= max(1.0, float(_rms(update)) / group["clip"])
        update *= group["lr"] * max(float(_rms(parameter)), group["eps2"])
        if "momentum" in state:
            update = state["momentum"].lerp_(update.to(parameter.dtype), 1.0 - group["beta1"])
        parameter -= update


def factored_dimensions(shape: torch.Size) -> tuple[int, int] | None:
    """The two largest dimensions, smaller index of equal ones first; None if a parameter is not factored."""
    if len(shape) < 2:
        return None
    columns, rows = sorted(range(len(shape)), key=lambda index: (-shape[index], index))[:2]
    return (rows, columns) if shape[rows] >= FACTORED_FROM else None


def _first_state(parameter: Tensor, *, momentum: bool) -> dict[str, Any]:
    state: dict[str, Any] = {"step": torch.zeros((), dtype=torch.float32)}
    factored = factored_dimensions(parameter.shape)
    if factored is None:
        state["second"] = torch.zeros_like(parameter, dtype=torch.float32)
    else:
        for name, dimension in zip(("rows", "columns"), reversed(factored), strict=True):
            shape = list(parameter.shape)
            del shape[dimension]
            state[name] = torch.zeros(shape, dtype=torch.float32, device=parameter.device)
    if momentum:
        state["momentum"] = torch.zeros_like(parameter)
    return state


def _normalised(gradient: Tensor, state: dict[str, Any], beta2: float, eps1: float) -> Tensor:
    """The gradient divided by the root of its second moment, which is brought up to date."""
    gradient = gradient.float()
    squared = gradient.square() + eps1
    if "second" in state:
        return gradient * state["second"].lerp_(squared, 1.0 - beta2).rsqrt()
    factored = factored_dimensions(gradient.shape)
    if factored is None:
        raise TrainError("optimiser: a parameter has another shape than when training began")
    row, column = factored
    rows = state["rows"].lerp_(whole(squared.mean(dim=column)), 1.0 - beta2)
    columns = state["columns"].lerp_(whole(squared.mean(dim=row)), 1.0 - beta2)
    among = row - 1 if column < row else row
    relative = rows / rows.mean(dim=among, keepdim=True)
    factors = (relative.rsqrt().unsqueeze(column), columns.rsqrt().unsqueeze(row))
    for factor in factors:
        gradient = gradient * spread_like(factor, gradient)
    return gradient


def _rms(values: Tensor) -> Tensor:
    return whole(values.float().square().mean()).sqrt()

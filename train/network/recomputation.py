"""Recomputation (activation checkpointing): parts of a network whose activations are not kept for the backward pass.

They are computed again in the backward pass, with the same dropout, so that the gradients are equal; a step takes about
a third longer and needs the memory of one part at a time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from embodio.train.errors import TrainError


def recompute(model: nn.Module, patterns: Sequence[str]) -> tuple[str, ...]:
    """Lets the modules of some names compute their activations again in the backward pass, in place.

    Of nested modules that match, the outermost counts. Names of parameters stay.

    Args:
        model: the network.
        patterns: of the modules' names, such as "encoder.layers.*".

    Returns:
        The names of the modules.

    Raises:
        TrainError: a pattern matches no module.
    """
    names = [
        name for name, module in model.named_modules() if name and not isinstance(module, nn.ModuleList | nn.ModuleDict)
    ]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            lists = [name for name, module in model.named_modules() if isinstance(module, nn.ModuleList)]
            known = ", ".join(f"{name}.*" for name in lists) or "none"
            raise TrainError(f"recompute: {pattern!r} matches no module; lists of layers are {known}")
    chosen = list[str]()
    for name in names:
        inside = any(name.startswith(f"{outer}.") for outer in chosen)
        if not inside and any(fnmatchcase(name, pattern) for pattern in patterns):
            chosen.append(name)
            module = model.get_submodule(name)
            module.forward = _recomputed(module.forward)
    return tuple(chosen)


def _recomputed(forward: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(forward)
    def run(*inputs: Any, **named: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*inputs, **named)
        return checkpoint(forward, *inputs, use_reentrant=False, **named)

    return run

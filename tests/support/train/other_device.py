"""Another device than the CPU, on machines that have none: tensors there and here refuse each other, as on a GPU."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map_only

AWAY = torch.device("cuda")
"""The name of the device inside `OtherDevice`; its tensors are in memory all the same."""
_HERE = torch.device("cpu")
_DEVICE = Tensor.device.__get__  # type: ignore[attr-defined]


class _Remote(Tensor):
    """A tensor on the other device; all that is computed from it is there, too."""


class OtherDevice(TorchFunctionMode):
    """Inside the block `AWAY` computes; tensors come back with `cpu()` or `to("cpu")`, and only then as arrays."""

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Calls a function of torch, or refuses what a GPU would."""
        named = dict(kwargs or {})
        tensors = [leaf for leaf in tree_leaves((args, named)) if isinstance(leaf, Tensor)]
        remote = any(isinstance(one, _Remote) for one in tensors)
        if func == _DEVICE:  # a new wrapper each time
            return AWAY if remote else func(*args)
        if func is Tensor.cpu:
            return args[0].as_subclass(Tensor)
        if func is Tensor.to and (device := _destination(args[1:], named)) is not None:
            rest = [one for one in args[1:] if isinstance(one, torch.dtype)]
            return (args[0].to(*rest) if rest else args[0]).as_subclass(_Remote if device == AWAY else Tensor)
        if remote and func in (Tensor.numpy, Tensor.__array__):
            raise TypeError("can't convert a tensor of another device to numpy; use Tensor.cpu() first")
        if remote and any(one.dim() and not isinstance(one, _Remote) for one in tensors):
            raise RuntimeError("Expected all tensors to be on the same device, but found at least two devices")
        if named.get("device") == AWAY:
            found = func(*args, **{**named, "device": _HERE})
            return tree_map_only(Tensor, lambda one: one.as_subclass(_Remote), found)
        return func(*args, **named)


def moved_away(network: nn.Module) -> nn.Module:
    """The network with its parameters and buffers on the other device."""
    for module in network.modules():
        for held in (module._parameters, module._buffers):
            for name, tensor in held.items():
                if tensor is not None:
                    held[name] = tensor.detach().as_subclass(_Remote)  # type: ignore[assignment]
    return network


def _destination(args: Iterable[Any], named: Mapping[str, Any]) -> torch.device | None:
    """The device of a call of `Tensor.to`; None for one that changes the type alone."""
    for one in (*args, named.get("device")):
        if isinstance(one, Tensor):
            return AWAY if isinstance(one, _Remote) else _HERE
        if isinstance(one, str | torch.device):
            return torch.device(one)
    return None

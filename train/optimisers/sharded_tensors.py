"""Tensors that may be sharded over processes, for arithmetic with means over all of their numbers.

A tensor is sharded only where torch's distributed tensors are loaded already, so a run of one process loads none of it.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor

_MODULE = "torch.distributed.tensor"


def _sharded(tensor: Tensor) -> Any:
    """The tensor as a DTensor; None if it is a plain one."""
    module = sys.modules.get(_MODULE)
    return tensor if module is not None and isinstance(tensor, module.DTensor) else None


def whole(tensor: Tensor) -> Tensor:
    """The tensor as a whole, in every process; all of them must ask for it."""
    sharded = _sharded(tensor)
    found: Tensor = tensor if sharded is None else sharded.full_tensor()
    return found


def local(tensor: Tensor) -> Tensor:
    """The part of a tensor that is in this process."""
    sharded = _sharded(tensor)
    found: Tensor = tensor if sharded is None else sharded.to_local()
    return found


def same_bits(one: Tensor, other: Tensor) -> bool:
    """Whether the parts of two tensors that are in this process hold the same bits, NaN included."""
    return torch.equal(*(local(tensor).reshape(-1).view(torch.uint8) for tensor in (one, other)))


def divided_like(tensor: Tensor, other: Tensor) -> Tensor:
    """A tensor that all processes have as a whole, divided among them as another one is, on its device."""
    sharded = _sharded(other)
    if sharded is None:
        return tensor
    module, moved = sys.modules[_MODULE], tensor.to(other.device)
    found: Tensor = module.distribute_tensor(moved, sharded.device_mesh, sharded.placements, src_data_rank=None)
    return found


def spread_like(tensor: Tensor, other: Tensor) -> Tensor:
    """A tensor that all processes have as a whole, in the form in which it can be multiplied with another one."""
    sharded = _sharded(other)
    if sharded is None:
        return tensor
    module = sys.modules[_MODULE]
    mesh = sharded.device_mesh
    found: Tensor = module.DTensor.from_local(tensor, mesh, [module.Replicate()] * mesh.ndim, run_check=False)
    return found

"""Sharding: the network, its gradients and its optimiser divided among processes (FSDP2, hybrid where asked for).

Each layer of the transformer is gathered when it is computed and given back afterwards. Everything else is one unit:
tables, towers and resamplers, which not every batch uses, so that no process waits for one that has no sound.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, Shard

from embodio.train.objective import Network
from embodio.train.optimisers.sharded_tensors import local
from embodio.train.parallel.layers import SharedLayers, share_layers
from embodio.train.parallel.world import REPLICATE, SHARD, TENSOR, TrainingWorld

UNITS = ("encoder.layers.*", "decoder.layers.*")
"""Names of modules that every batch runs through, each gathered on its own."""


def shard(model: nn.Module, world: TrainingWorld) -> SharedLayers:
    """Divides a network among the processes of a copy, in place; its parameters become DTensors of the same names.

    Gradients become sums over all parts of a batch.

    Args:
        model: with the same weights in every process.
        world: the processes.

    Returns:
        How its layers are divided, where several processes share them.

    Raises:
        TrainError: layers cannot be divided evenly.
    """
    tensor = world.mesh[TENSOR]
    shared = share_layers(model, tensor) if tensor.size() > 1 else SharedLayers({}, frozenset(), frozenset())
    divided = {id(parameter) for name, parameter in model.named_parameters() if name in shared.columns}

    def placement(parameter: nn.Parameter) -> Shard | None:
        return Shard(1) if id(parameter) in divided else None

    mesh = world.mesh[REPLICATE, SHARD] if world.mesh[REPLICATE].size() > 1 else world.mesh[SHARD]
    for name, module in model.named_modules():
        if any(fnmatchcase(name, pattern) and "." not in name.removeprefix(pattern[:-1]) for pattern in UNITS):
            fully_shard(module, mesh=mesh, shard_placement_fn=placement)
    fully_shard(model, mesh=mesh, shard_placement_fn=placement)
    root = cast(FSDPModule, model)
    root.set_reduce_scatter_unused_params(True)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)  # which all backends have
    return shared


def give_back(model: nn.Module) -> None:
    """Frees what was gathered for forward passes that no backward pass followed."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def shell_of(model: Network) -> Network:
    """A copy of a network without memory, to be given weights by assignment; of a network that is not sharded yet."""
    memo: dict[int, Tensor] = {}
    for parameter in model.parameters():
        memo[id(parameter)] = nn.Parameter(parameter.detach().to("meta"), requires_grad=parameter.requires_grad)
    for buffer in model.buffers():
        memo[id(buffer)] = buffer.to("meta")
    return copy.deepcopy(model, memo)


@torch.no_grad()
def clip_global_norm(parameters: Iterable[nn.Parameter], limit: float) -> float:
    """Scales gradients so that the norm over all processes is at most `limit`; as `nn.utils.clip_grad_norm_`.

    Returns:
        The norm before.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    groups: dict[tuple[str, ...], tuple[list[Tensor], list[dist.ProcessGroup]]] = {}
    for gradient in gradients:
        key, over = tuple[str, ...](), list[dist.ProcessGroup]()
        if isinstance(gradient, DTensor):
            names = gradient.device_mesh.mesh_dim_names or ()
            for name, place in zip(names, gradient.placements, strict=True):
                if place.is_shard():
                    key, over = (*key, name), [*over, gradient.device_mesh.get_group(name)]
        groups.setdefault(key, ([], over))[0].append(local(gradient))
    total = 0.0
    for parts, over in groups.values():
        square = torch.stack([part.float().square().sum() for part in parts if part.numel()] or [torch.zeros(())]).sum()
        square = square.to(parts[0].device, torch.float64)
        for group in over:
            dist.all_reduce(square, group=group)
        total += square.item()
    norm = float(total**0.5)
    factor = min(1.0, limit / (norm + 1e-6))
    if gradients and factor < 1.0:
        torch._foreach_mul_([local(gradient) for gradient in gradients], factor)
    return norm

"""Tensor parallelism: the heads and hidden units of the transformer's layers divided among a few processes.

Queries, keys, values and the first half of an MLP are divided by columns: each process computes some heads and hidden
units. The maps after them are divided by rows, and their results are added over the processes. So a layer needs two
sums forward and two backward, and everything between layers is the same in all of its processes.

    GatedMLP of 8 hidden units on 2 processes      gate_up [2 x 8, D] -> rows 0-3 of both halves, or 4-7
                                                   down    [D, 8]     -> columns 0-3, or 4-7
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Replicate, Shard

from embodio.model.layers.attention import CrossAttention, SelfAttention
from embodio.model.layers.layers import GatedMLP, Linear, linear
from embodio.model.network.transformer import Decoder, DecoderLayer, Encoder, EncoderLayer
from embodio.train.errors import TrainError
from embodio.train.optimisers.sharded_tensors import local


class SharedLayers(NamedTuple):
    """What tensor parallelism did to a network.

    Attributes:
        columns: name of a parameter divided by columns -> groups of columns in it, such as 3 for queries, keys, values.
        rows: names of those divided by rows.
        partial: names of those that all processes have, of whose gradients each computes a part.
    """

    columns: dict[str, int]
    rows: frozenset[str]
    partial: frozenset[str]


class _Entered(torch.autograd.Function):
    """The input of divided columns: the same in all processes; its gradient is the sum over them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: dist.ProcessGroup) -> Tensor:
        ctx.group = group
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        grad = grad.contiguous().clone()
        dist.all_reduce(grad, group=ctx.group)
        return grad, None


class _Added(torch.autograd.Function):
    """The output of divided rows: the sum over the processes; its gradient is the same in all of them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: dist.ProcessGroup) -> Tensor:
        x = x.contiguous().clone()
        dist.all_reduce(x, group=group)
        return x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return grad, None


class _Divided(nn.Module):
    """A part of a linear map; its weight is a DTensor over the processes of the layer."""

    def __init__(self, weight: Tensor, mesh: DeviceMesh, dimension: int, *, trained: bool) -> None:
        super().__init__()
        self._group = mesh.get_group()
        divided = DTensor.from_local(weight.contiguous(), mesh, [Shard(dimension)], run_check=False)
        self.weight = nn.Parameter(divided, requires_grad=trained)


class _Columns(_Divided):
    def forward(self, x: Tensor) -> Tensor:
        """The part of the outputs that is computed here."""
        entered: Tensor = _Entered.apply(x, self._group)  # type: ignore[no-untyped-call]
        return linear(entered, local(self.weight))


class _Rows(_Divided):
    def forward(self, x: Tensor) -> Tensor:
        """All outputs, of the part of the inputs that is here."""
        added: Tensor = _Added.apply(linear(x, local(self.weight)), self._group)  # type: ignore[no-untyped-call]
        return added


def share_layers(model: nn.Module, mesh: DeviceMesh) -> SharedLayers:
    """Divides the layers of all encoders and decoders of transformers in a network, in place.

    Args:
        model: with the same weights in every process; names of parameters stay.
        mesh: of the processes that share a layer, of one dimension.

    Raises:
        TrainError: heads or hidden units cannot be divided evenly.
    """
    columns, rows, partial = dict[str, int](), set[str](), set[str]()
    layers = {name: one for name, one in model.named_modules() if isinstance(one, EncoderLayer | DecoderLayer)}
    for name, layer in layers.items():
        for inner, module in list(layer.named_modules()):
            full = f"{name}.{inner}"
            if isinstance(module, SelfAttention | CrossAttention):
                _require(module.num_heads, mesh, f"{full} has {module.num_heads} heads")
                module.num_heads //= mesh.size()
                first = {"query_key_value": 3} if isinstance(module, SelfAttention) else {"query": 1, "key_value": 2}
                _divide(module, first, "out", mesh)
                columns |= {f"{full}.{child}.weight": groups for child, groups in first.items()}
                rows.add(f"{full}.out.weight")
                partial |= {f"{full}.{norm}" for norm, _ in module.named_parameters(recurse=False)}
            elif isinstance(module, GatedMLP):
                _require(module.down.weight.shape[1], mesh, f"{full} has {module.down.weight.shape[1]} hidden units")
                _divide(module, {"gate_up": 2}, "down", mesh)
                columns[f"{full}.gate_up.weight"] = 2
                rows.add(f"{full}.down.weight")
    for module in model.modules():
        if isinstance(module, Encoder | Decoder):
            module.num_heads //= mesh.size()
    return SharedLayers(columns, frozenset(rows), frozenset(partial))


def _require(count: int, mesh: DeviceMesh, what: str) -> None:
    if count % mesh.size():
        raise TrainError(f"parallel.tensor: {what}, which {mesh.size()} processes cannot share evenly")


def _divide(module: nn.Module, first: dict[str, int], last: str, mesh: DeviceMesh) -> None:
    """Replaces the linear maps of a module by this process's parts."""
    rank, size = mesh.get_local_rank(), mesh.size()
    for child, groups in first.items():
        weight = _linear(module, child)
        part = weight.unflatten(0, (groups, size, -1))[:, rank].flatten(0, 1)
        setattr(module, child, _Columns(part.detach().clone(), mesh, 0, trained=weight.requires_grad))
    weight = _linear(module, last)
    part = weight.unflatten(1, (size, -1))[:, rank]
    setattr(module, last, _Rows(part.detach().clone(), mesh, 1, trained=weight.requires_grad))


def _linear(module: nn.Module, name: str) -> nn.Parameter:
    found = getattr(module, name)
    if not isinstance(found, Linear):
        raise TrainError(f"parallel.tensor: {name} is a {type(found).__name__}, which cannot be divided")
    return found.weight


@torch.no_grad()
def add_partial_gradients(model: nn.Module, shared: SharedLayers, group: dist.ProcessGroup) -> None:
    """Adds up gradients of which each process of a layer computed a part; once, before they are clipped."""
    for name, parameter in model.named_parameters():
        if name in shared.partial and parameter.grad is not None:
            dist.all_reduce(local(parameter.grad), group=group)


def in_order(tensor: Tensor, groups: int) -> Tensor:
    """A tensor of divided columns as one whose parts are consecutive, so that any number of processes can read it.

    Args:
        tensor: DTensor [groups * N, in], of which this process has some columns of each group; the last dimension of
            its mesh is that of the processes of a layer.
        groups: of columns.

    Returns:
        The same numbers as a DTensor divided along its second dimension alone.
    """
    if not isinstance(tensor, DTensor):
        return tensor
    return _cube(tensor, groups, Shard(1), Shard(2))


def out_of_order(tensor: Tensor, template: Tensor, groups: int) -> Tensor:
    """The inverse of `in_order`: a tensor divided as `template` is."""
    if not isinstance(tensor, DTensor) or not isinstance(template, DTensor):
        return tensor
    moved = _cube(tensor, groups, Shard(2), Shard(1))
    return DTensor.from_local(
        moved.to_local(),
        template.device_mesh,
        template.placements,
        run_check=False,
        shape=template.shape,
        stride=template.stride(),
    )


def _cube(tensor: DTensor, groups: int, before: Shard, after: Shard) -> DTensor:
    """Moves the division by the last dimension of the mesh, of the tensor seen as [groups, N, in]."""
    mesh, (outputs, inputs) = tensor.device_mesh, tensor.shape
    outer = [Shard(2) if isinstance(place, Shard) else Replicate() for place in tensor.placements[:-1]]
    cube = DTensor.from_local(
        tensor.to_local().unflatten(0, (groups, -1)),
        mesh,
        [*outer, before],
        run_check=False,
        shape=torch.Size((groups, outputs // groups, inputs)),
        stride=(outputs // groups * inputs, inputs, 1),
    )
    moved = cube.redistribute(placements=[*outer, after]).to_local().flatten(0, 1)
    flat = [Shard(1) if isinstance(place, Shard) else Replicate() for place in [*outer, after]]
    return DTensor.from_local(moved, mesh, flat, run_check=False, shape=tensor.shape, stride=(inputs, 1))

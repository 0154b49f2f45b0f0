"""Linear maps with the kernels that are fastest for the order in which a weight is stored.

`prepare` stores float32 weights turned, [in, out] row after row, while their shape stays [out, in]. One row is then
multiplied by a kernel that reads the weight once, front to back, and many rows by oneDNN, which on processors of other
makers than Intel is faster than the library behind `functional.linear`. Results differ from those of plain weights by
the rounding of float32 only.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.nn import functional

from embodio.model.memory import room


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`functional.linear` of x [..., in], weight [out, in] and bias [out], without gradients faster for turned weights.

    Returns:
        [..., out].
    """
    if is_turned(weight) and x.numel() > x.shape[-1] and _exact(x) and _has_onednn():
        product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return product
    return functional.linear(x, weight, bias)


def is_turned(weight: Tensor) -> bool:
    """Whether a weight [out, in] is in float32 on the CPU and stored [in, out]."""
    return weight.stride(0) == 1 != weight.stride(1) and weight.dtype == torch.float32 and weight.device.type == "cpu"


def _exact(x: Tensor) -> bool:
    """Whether a product with x is to run in float32, eagerly and without gradients."""
    return x.dtype == torch.float32 and not (
        torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu")
    )


@functools.lru_cache(maxsize=1)
def _has_onednn() -> bool:
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def turn(weight: Tensor) -> None:
    """Store a weight [out, in] turned, in place; one that is not in float32 on the CPU stays as it is."""
    if weight.dtype != torch.float32 or weight.device.type != "cpu" or is_turned(weight):
        return
    turned = room((weight.shape[1], weight.shape[0]), weight.dtype)
    weight.data = turned.copy_(weight.data.t()).t()

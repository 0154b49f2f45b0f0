"""Building blocks without attention: linear maps, norms, MLPs and dropout, with the JAX original's initialisation."""

from __future__ import annotations

import functools
import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.model.layers.fused import rms_norm, swiglu
from embodio.model.memory import allocate


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`functional.linear` of x [..., in], weight [out, in], bias [out]; without gradients fast for transposed weights.

    Returns:
        [..., out].
    """
    if is_transposed(weight) and x.numel() > x.shape[-1] and _exact(x) and _has_onednn():
        product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return product
    return functional.linear(x, weight, bias)


def is_transposed(weight: Tensor) -> bool:
    """Whether a weight [out, in] is float32 on the CPU and stored as [in, out]."""
    return weight.stride(0) == 1 != weight.stride(1) and weight.dtype == torch.float32 and weight.device.type == "cpu"


def _exact(x: Tensor) -> bool:
    """Whether a product with x runs in float32, eagerly and without gradients."""
    return x.dtype == torch.float32 and not (
        torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu")
    )


@functools.lru_cache(maxsize=1)
def _has_onednn() -> bool:
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def store_transposed(weight: Tensor) -> None:
    """Store a weight [out, in] transposed, in place, if it is float32 on the CPU."""
    if weight.dtype != torch.float32 or weight.device.type != "cpu" or is_transposed(weight):
        return
    transposed = allocate((weight.shape[1], weight.shape[0]), weight.dtype)
    weight.data = transposed.copy_(weight.data.t()).t()


TRUNCATION_STD = 0.87962566103423978
"""Standard deviation of a unit normal truncated at +-2; dividing by it restores unit variance."""


def init_fan_in(weight: Tensor, *, truncated: bool) -> None:
    """Fill [out, in] from a normal of standard deviation 1 / sqrt(in), truncated at two deviations if `truncated`."""
    std = weight.shape[-1] ** -0.5
    if truncated:
        std /= TRUNCATION_STD
        nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)
    else:
        nn.init.normal_(weight, std=std)


class Linear(nn.Module):
    """Bias-free linear map [..., in] -> [..., out] with fan-in initialisation."""

    def __init__(self, in_dim: int, out_dim: int, *, truncated: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_dim, in_dim))
        init_fan_in(self.weight, truncated=truncated)

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., in] to [..., out]."""
        return linear(x, self.weight)


class BiasedLinear(nn.Linear):
    """Linear map [..., in] -> [..., out] with a bias, for the towers, which initialise it."""

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., in] to [..., out]."""
        return linear(x, self.weight, self.bias)


class RMSNorm(nn.Module):
    """Root-mean-square norm over the last axis [..., D], with a learned scale and epsilon 1e-6."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise [..., D]."""
        return rms_norm(x, self.scale)


class GatedMLP(nn.Module):
    """`down(silu(gate x) * (up x))`; gate and up are halves of one matrix, computed in one product."""

    def __init__(self, dim: int, hidden: int, dropout_rate: float = 0.0) -> None:
        super().__init__()
        self.gate_up = Linear(dim, 2 * hidden)
        self.down = Linear(hidden, dim)
        self.dropout = Dropout(dropout_rate)

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., D] to [..., D]."""
        return self.down(self.dropout(swiglu(self.gate_up(x))))


class MLP(nn.Module):
    """`down(gelu(up x))` without biases, as in the perceiver resampler."""

    def __init__(self, dim: int, hidden: int, gelu: Literal["tanh", "erf"]) -> None:
        super().__init__()
        self.up = Linear(dim, hidden)
        self.down = Linear(hidden, dim)
        self.approximate = "tanh" if gelu == "tanh" else "none"

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., D] to [..., D]."""
        return self.down(functional.gelu(self.up(x), approximate=self.approximate))


class Dropout(nn.Module):
    """Dropout of whole channels of a row, one mask [B, 1, D] for all tokens of [B, L, D], as in the JAX original."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Drop parts of [B, L, D] in training mode; nothing at rate 0 or in evaluation mode."""
        if self.rate == 0.0 or not self.training:
            return x
        keep = x.new_empty(x.shape[0], 1, x.shape[-1]).bernoulli_(1.0 - self.rate)
        return x * keep.div_(1.0 - self.rate)


def modality_vector(dim: int) -> nn.Parameter:
    """A learned vector [D] added to every token of a modality, drawn from N(0, 0.02)."""
    vector = nn.Parameter(torch.empty(dim))
    nn.init.normal_(vector, std=0.02)
    return vector


def init_glorot(weight: Tensor, out_dim: int, in_dim: int) -> None:
    """Fill from the Glorot uniform distribution of an [out_dim, in_dim] map (the towers' rule)."""
    bound = math.sqrt(6.0 / (in_dim + out_dim))
    nn.init.uniform_(weight, -bound, bound)

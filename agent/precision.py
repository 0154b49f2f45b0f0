"""Faster weights and compiled encoders: bfloat16, int8 and torch.compile, each only where it was asked for."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from embodio.agent.decoder import Product, RowProduct
from embodio.agent.errors import PrecisionError
from embodio.agent.options import AgentOptions
from embodio.model.layers import Linear
from embodio.model.network import UnifiedIO2


@dataclass(frozen=True)
class FastModel:
    """A network to act with: itself, its encoder, and how the decoder multiplies."""

    model: UnifiedIO2
    encoder: Callable[..., Any]
    product: Callable[[Tensor], Product]


def convert(model: UnifiedIO2, options: AgentOptions) -> FastModel:
    """The network in the precision of the options; the network that was given stays as it is.

    Raises:
        PrecisionError: this machine lacks what an option needs.
    """
    product: Callable[[Tensor], Product] = RowProduct
    if options.precision == "bfloat16":
        model = copy.deepcopy(model).to(torch.bfloat16)
    elif options.precision == "int8":
        _require_int8(model)
        model = _quantised(copy.deepcopy(model))
        product = Int8Product
    encoder: Callable[..., Any] = model.encoder
    if options.compile:
        if not any(shutil.which(name) for name in ("c++", "g++", "clang++", "cl")):
            raise PrecisionError("compile: torch.compile needs a C++ compiler, which is not installed; install g++")
        encoder = torch.compile(model.encoder)
    return FastModel(model, encoder, product)


class Int8Product:
    """A linear map with int8 weights, one scale per output; activations are quantised on the fly, row by row."""

    def __init__(self, weight: Tensor) -> None:
        self._packed = torch.ops.quantized.linear_prepack(quantise(weight), None)

    def __call__(self, x: Tensor) -> Tensor:
        """Map [B, t, in] to [B, t, out]."""
        return torch.stack([torch.ops.quantized.linear_dynamic(row, self._packed, reduce_range=False) for row in x])

    def plus(self, residual: Tensor, x: Tensor) -> Tensor:
        """Map [B, t, in] and add it to [B, t, out]."""
        return residual + self(x)


class Int8Linear(nn.Module):
    """Stands in the place of a linear layer; has int8 weights."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self._packed = torch.ops.quantized.linear_prepack(quantise(weight), bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., in] to [..., out]."""
        mapped: Tensor = torch.ops.quantized.linear_dynamic(x, self._packed, reduce_range=False)
        return mapped


def quantise(weight: Tensor) -> Tensor:
    """Float weights [out, in] as int8 with one scale per output."""
    weight = weight.detach().float().contiguous()
    scales = weight.abs().amax(dim=1).clamp(min=1e-12).double() / 127.0
    zeros = torch.zeros(weight.shape[0], dtype=torch.int64)
    return torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)


def _quantised(model: UnifiedIO2) -> UnifiedIO2:
    """Replaces the linear layers that the encoder side uses; the decoder's are read by `Int8Product`."""
    for root in (model.towers, model.inputs, model.encoder):
        for module in list(root.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, Linear):
                    setattr(module, name, _Int8Like(child.weight, None))
                elif isinstance(child, nn.Linear):
                    setattr(module, name, _Int8Like(child.weight, child.bias))
    for layer in model.decoder.layer_list():
        layer.cross_attention.key_value = _Int8Like(layer.cross_attention.key_value.weight, None)  # type: ignore[assignment]
    return model


class _Int8Like(Int8Linear):
    """Int8 weights, and an empty `weight` that says which dtype comes out."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__(weight, None if bias is None else bias.detach().float())
        self.weight = torch.empty(0, dtype=torch.float32)


def _require_int8(model: UnifiedIO2) -> None:
    if model.table("text").device.type != "cpu":
        raise PrecisionError("precision: int8 weights run on the CPU only; use device='cpu', or bfloat16")
    engines = [name for name in torch.backends.quantized.supported_engines if name != "none"]
    if not engines:
        raise PrecisionError("precision: this build of torch has no int8 kernels; use float32 or bfloat16")

"""int8 weights: a network with linear maps stored and multiplied in 8 bits, for CPU inference.

Every output channel of a weight has its own scale. In mode "dynamic" every input row has one too, computed on the fly,
and the product runs in integers, so rows do not depend on each other; on processors with bfloat16 products, attention
among many input tokens uses them. In mode "weight_only" the input is not quantised: few rows are multiplied in
bfloat16, many with weights converted back to float32.
Norms, the rest of attention, embedding lookups and the VQ tokenisers stay in float32.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.model.errors import ConfigError, WeightsError
from embodio.model.inference.int8_products import (
    has_int8_products,
    pack_for_few_rows,
    pack_for_many_rows,
    quantise_weight,
)
from embodio.model.layers.attention import SelfAttention, multiplies_bfloat16
from embodio.model.layers.layers import Linear
from embodio.model.layers.vit import TowerBlock
from embodio.model.layers.without_memory import without_memory
from embodio.model.network.network import UnifiedIO2

Mode = Literal["dynamic", "weight_only"]

FEW_ROWS = 8
"""Up to this many rows, reading the weights costs more than multiplying them."""


class Int8Linear(nn.Module):
    """A linear map [..., in] -> [..., out] with int8 weights, one scale per output channel, and an optional bias."""

    def __init__(self, weight: Tensor, bias: Tensor | None, mode: Mode, *, many_rows: bool = False) -> None:
        """Quantise a float32 weight [out, in], which is not changed; `many_rows` selects the faster kernel."""
        super().__init__()
        self.out_dim, self.mode, self.bias = weight.shape[0], mode, bias
        if mode == "dynamic":
            self._product = pack_for_many_rows(weight) if many_rows else pack_for_few_rows(weight)
        else:
            self._integers, self._scale = quantise_weight(weight)
            self._ones = torch.ones(self.out_dim, dtype=torch.bfloat16)

    def forward(self, x: Tensor) -> Tensor:
        """Map float32 [..., in] to float32 [..., out]."""
        rows = x.reshape(-1, x.shape[-1])
        if self.mode == "dynamic":
            y = self._product(rows)
        elif rows.shape[0] <= FEW_ROWS:
            y = torch._weight_int8pack_mm(rows.bfloat16(), self._integers, self._ones).float().mul_(self._scale)
        else:
            y = functional.linear(rows, self._integers * self._scale.unsqueeze(-1))
        if self.bias is not None:
            y.add_(self.bias)
        return y.view(*x.shape[:-1], self.out_dim)


class QuantisedUnifiedIO2(UnifiedIO2):
    """A network with int8 weights, made by `quantise`; it encodes, decodes and generates, but cannot be trained."""

    output_maps: nn.ModuleDict

    def logits(self, hidden: Tensor, modality: str) -> Tensor:
        """Tied logits [..., V] of decoder states [..., D], divided by sqrt(D)."""
        logits: Tensor = self.output_maps[modality](hidden * self.config.transformer.emb_dim**-0.5)
        return logits

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """Not possible: raises WeightsError."""
        raise WeightsError("a network with int8 weights cannot be saved; save the float32 network, and quantise again")

    def train(self, mode: bool = True) -> QuantisedUnifiedIO2:
        """Evaluation mode only: raises WeightsError for training mode."""
        if mode:
            raise WeightsError("a network with int8 weights cannot be trained; train the float32 network")
        return super().train(False)


def quantise(model: UnifiedIO2, mode: Mode = "dynamic") -> QuantisedUnifiedIO2:
    """A copy of a network with int8 weights; the given network is unchanged.

    Parts that are not quantised (embedding tables, norms, tokenisers) are shared between the two.

    Args:
        model: a float32 network on the CPU.
        mode: "dynamic" also quantises activations, and is faster for encoding and decoding; "weight_only" quantises
            the weights only, which saves memory and is more exact.

    Raises:
        ConfigError: the mode is unknown, or this build of torch has no int8 kernels for this processor.
        WeightsError: the network is not float32, not on the CPU, or has int8 weights already.
    """
    if mode not in ("dynamic", "weight_only"):
        raise ConfigError(f"no mode {mode!r} of int8 weights; choose 'dynamic' or 'weight_only'")
    if mode == "dynamic" and not has_int8_products():
        raise ConfigError("mode 'dynamic' needs torch's engine fbgemm (x86 processors); use 'weight_only' here")
    if isinstance(model, QuantisedUnifiedIO2):
        raise WeightsError("the network has int8 weights already; quantise the float32 network that it came from")
    for name, parameter in model.named_parameters():
        if parameter.dtype != torch.float32 or parameter.device.type != "cpu":
            raise WeightsError(
                f"{name} is {parameter.dtype} on {parameter.device}; load the network as float32 on the CPU"
            )
    with without_memory():
        twin = QuantisedUnifiedIO2(model.config, tokenizers=bool(model.tokenizers))
    twin.load_state_dict(model.state_dict(), assign=True)
    twin.requires_grad_(False)
    for part in (twin.towers, twin.inputs, twin.encoder):
        _replace(part, mode, many_rows=True)
    _replace(twin.decoder, mode, many_rows=False)
    twin.output_maps = nn.ModuleDict(
        {name: Int8Linear(twin.table(name), None, mode) for name in model.config.target_modalities}
    )
    if mode == "dynamic" and multiplies_bfloat16():
        for module in (*twin.towers.modules(), *twin.encoder.modules()):
            if isinstance(module, SelfAttention | TowerBlock):
                module.attention_dtype = torch.bfloat16
    return twin.eval()


def _replace(module: nn.Module, mode: Mode, *, many_rows: bool) -> None:
    """Replace every linear map below a module by an `Int8Linear`."""
    for name, child in module.named_children():
        if isinstance(child, Linear | nn.Linear):
            bias = None if isinstance(child, Linear) else child.bias
            rows = many_rows or name == "key_value"  # those of the decoder are applied to the encoder's tokens
            setattr(module, name, Int8Linear(child.weight, bias, mode, many_rows=rows))
        else:
            _replace(child, mode, many_rows=many_rows)

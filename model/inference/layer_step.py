"""One step of a decoder layer: the only place where the decoder is computed token by token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.model.inference.row_products import Product
from embodio.model.layers.fused import norm_rotate_, rms_norm_of_few, swiglu
from embodio.model.network.transformer import DecoderLayer


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """The weights of one decoder layer, looked up once: the scales of its norms and its linear maps."""

    self_norm: Tensor
    query_key_value: Product
    query_key_norm: Tensor
    self_out: Product
    cross_norm: Tensor
    query: Product
    query_norm: Tensor
    cross_out: Product
    mlp_norm: Tensor
    gate_up: Product
    down: Product

    @classmethod
    def of(cls, layer: DecoderLayer, product: Callable[[nn.Module], Product]) -> LayerWeights:
        """The weights of a layer, its linear maps turned into products by `product`."""
        own, cross = layer.self_attention, layer.cross_attention
        return cls(
            self_norm=layer.self_attention_norm.scale,
            query_key_value=product(own.query_key_value),
            query_key_norm=own.query_key_norm,
            self_out=product(own.out),
            cross_norm=layer.cross_attention_norm.scale,
            query=product(cross.query),
            query_norm=cross.query_norm,
            cross_out=product(cross.out),
            mlp_norm=layer.mlp_norm.scale,
            gate_up=product(layer.mlp.gate_up),
            down=product(layer.mlp.down),
        )


@dataclass(frozen=True, slots=True)
class LayerMemory:
    """The keys and values that one decoder layer reads at every step.

    Attributes:
        cross_key: [B, H, L, Dh] of the encoder's tokens.
        cross_value: [B, H, L, Dh]; may be stored as [B, H, Dh, L], the order in which a single query reads it fastest.
        cache: [B * copies, 2, H, T, Dh], keys and values of the tokens fed so far, with capacity for T.
    """

    cross_key: Tensor
    cross_value: Tensor
    cache: Tensor


@dataclass(frozen=True, slots=True)
class StepInput:
    """The tokens of one step: where they go and what they see; the same for all layers.

    Attributes:
        rows: N = B * copies, how many targets are decoded.
        count: t, tokens per row.
        begin: tokens fed before.
        rotary: complex64 [1 or N, t, H, Dh / 2].
        cross_mask: bool [B, 1, 1, L], which tokens of the encoder are valid; None when all are.
    """

    rows: int
    count: int
    begin: int
    rotary: Tensor
    cross_mask: Tensor | None


def layer_step(weights: LayerWeights, memory: LayerMemory, step: StepInput, x: Tensor, mask: Tensor | None) -> Tensor:
    """Run one decoder layer on new tokens; equals `DecoderLayer.forward` without dropout.

    Args:
        weights: of the layer.
        memory: of the layer; the cache is written in place.
        step: where the tokens go.
        x: [N * t, D].
        mask: bool, broadcast to [N, H, t, begin + t]; None when every new token sees all that were fed.

    Returns:
        [N * t, D].
    """
    rows, count, end = step.rows, step.count, step.begin + step.count
    heads, width = memory.cross_key.shape[1], memory.cross_key.shape[3]
    fused = weights.query_key_value(rms_norm_of_few(x, weights.self_norm), rows).view(rows, count, 3, heads, width)
    norm_rotate_(fused, weights.query_key_norm, step.rotary)
    memory.cache[:, :, :, step.begin : end] = fused[:, :, 1:].permute(0, 2, 3, 1, 4)
    keys, values = memory.cache[:, :, :, :end].unbind(1)
    mixed = functional.scaled_dot_product_attention(fused[:, :, 0].transpose(1, 2), keys, values, attn_mask=mask)
    x = weights.self_out.plus(x, mixed.transpose(1, 2).reshape(x.shape[0], -1), rows)

    query = weights.query(rms_norm_of_few(x, weights.cross_norm), rows).view(rows, count, 1, heads, width)
    norm_rotate_(query, weights.query_norm, step.rotary)
    # Copies of a row ask the same keys, so they line up as if they were further tokens of that row.
    query = query.view(memory.cross_key.shape[0], -1, heads, width).transpose(1, 2)
    mixed = _attend(query, memory.cross_key, memory.cross_value, step.cross_mask)
    x = weights.cross_out.plus(x, mixed.transpose(1, 2).reshape(x.shape[0], -1), rows)

    return weights.down.plus(x, swiglu(weights.gate_up(rms_norm_of_few(x, weights.mlp_norm), rows)), rows)


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax attention of [B, H, Lq, Dh]; one query reads keys, and transposed values, once and in order."""
    if query.shape[2] > 1 or mask is not None or value.stride(-1) == 1:
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    # Columns are the transposes of rows, which torch's product takes as they are; others it would multiply slowly.
    row = query * query.shape[-1] ** -0.5
    weights = torch.matmul(key, row.mT).mT.softmax(dim=-1)
    return torch.matmul(value.mT, weights.mT).mT

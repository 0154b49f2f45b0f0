"""One step of a decoder layer: the only token-by-token implementation of the decoder.

Libraries sum in a different order for few rows than for many, which could decide a tie between two action bins
differently. There are two remedies. With small weights every sum is computed in order, term by term: by
`embedding_bag`, which sums weighted rows of a table in order, or, from a few rows on, by a matrix product where a test
on the current machine shows equal results. Large weights, which this would have to copy, are multiplied with each row
of the batch separately.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.model.layers.fused import norm_rotate_, rms_norm_of_few, swiglu
from embodio.model.layers.layers import Linear, is_transposed, linear
from embodio.model.layers.token_sequence import TokenSequence
from embodio.model.network.transformer import DecoderLayer

SMALL_BYTES = 1 << 19
"""Larger weights are not copied."""

FEW_ROWS = 4
"""Products of fewer rows run in other kernels."""

_TRIED_ROWS = 48


class Product(Protocol):
    """A linear map of the tokens of several rows."""

    def __call__(self, x: Tensor, rows: int) -> Tensor:
        """Map [B * t, in] to [B * t, out], for B rows."""

    def plus(self, residual: Tensor, x: Tensor, rows: int) -> Tensor:
        """Map [B * t, in] and add it to [B * t, out]."""


class OrderedProduct:
    """`x @ weight.T`, with every sum computed in the order of the weight's columns.

    Args:
        weight: float32 [out, in] on the CPU; copied.
    """

    def __init__(self, weight: Tensor) -> None:
        self.transposed = weight.detach().t().contiguous()

    def __call__(self, x: Tensor, rows: int) -> Tensor:
        """Map [n, in] to [n, out]."""
        if len(x) >= FEW_ROWS and self._at_once:
            return torch.mm(x, self.transposed)
        return add_in_order(x, self.transposed)

    def plus(self, residual: Tensor, x: Tensor, rows: int) -> Tensor:
        """Map [n, in] and add it to [n, out]."""
        if len(x) >= FEW_ROWS and self._at_once:
            return torch.addmm(residual, x, self.transposed)
        return add_in_order(x, self.transposed).add_(residual)

    @property
    def _at_once(self) -> bool:
        """Whether a matrix product sums in order with the current number of threads."""
        return adds_in_order(*self.transposed.shape, torch.get_num_threads())


class RowProduct:
    """`x @ weight.T` for each row of the batch separately, for any float weight [out, in]."""

    def __init__(self, weight: Tensor) -> None:
        self.weight, self.transposed = weight.detach(), weight.detach().t()

    def __call__(self, x: Tensor, rows: int) -> Tensor:
        """Map [B * t, in] to [B * t, out]."""
        if rows == 1:
            return functional.linear(x, self.weight)
        return torch.bmm(x.unflatten(0, (rows, -1)), self.transposed.expand(rows, -1, -1)).flatten(0, 1)

    def plus(self, residual: Tensor, x: Tensor, rows: int) -> Tensor:
        """Map [B * t, in] and add it to [B * t, out]."""
        if rows == 1:
            return torch.addmm(residual, x, self.transposed)
        apart = residual.unflatten(0, (rows, -1)), x.unflatten(0, (rows, -1))
        return torch.baddbmm(*apart, self.transposed.expand(rows, -1, -1)).flatten(0, 1)


class Int8Product:
    """A linear map with int8 weights, for each row of the batch separately."""

    def __init__(self, linear: nn.Module) -> None:
        self._linear = linear

    def __call__(self, x: Tensor, rows: int) -> Tensor:
        """Map [B * t, in] to [B * t, out]."""
        if rows == 1:
            mapped: Tensor = self._linear(x)
            return mapped
        return torch.cat([self._linear(row) for row in x.chunk(rows)])

    def plus(self, residual: Tensor, x: Tensor, rows: int) -> Tensor:
        """Map [B * t, in] and add it to [B * t, out]."""
        return residual + self(x, rows)


class FastestProduct:
    """A linear map by the fastest kernel, in which a row may round differently in a batch than alone.

    Args:
        module: maps [n, in] to [n, out]: a `Linear`, whose weight is looked up once, or one with int8 weights.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._weight = module.weight if isinstance(module, Linear) else None

    def __call__(self, x: Tensor, rows: int) -> Tensor:
        """Map [B * t, in] to [B * t, out]."""
        mapped: Tensor = self._module(x) if self._weight is None else linear(x, self._weight)
        return mapped

    def plus(self, residual: Tensor, x: Tensor, rows: int) -> Tensor:
        """Map [B * t, in] and add it to [B * t, out]."""
        if self._weight is None or (len(x) > 1 and is_transposed(self._weight)):
            return residual + self(x, rows)
        return torch.addmm(residual, x, self._weight.t())


def float_product(weight: Tensor) -> Product:
    """The product with a float weight [out, in]."""
    small = weight.numel() * weight.itemsize <= SMALL_BYTES
    ordered = small and weight.dtype == torch.float32 and weight.device.type == "cpu"
    return OrderedProduct(weight) if ordered else RowProduct(weight)


def linear_product(linear: nn.Module) -> Product:
    """The product with the weight of a linear map."""
    return float_product(cast(Tensor, linear.weight))


def add_in_order(x: Tensor, transposed: Tensor) -> Tensor:
    """`x @ transposed` for x [n, in] and transposed [in, out], with terms added one after the other."""
    indices, offsets = _bags(*x.shape)
    found: Tensor = torch.embedding_bag(transposed, indices, offsets, False, 0, False, x.reshape(-1))[0]
    return found


@functools.lru_cache(maxsize=256)
def _bags(count: int, width: int) -> tuple[Tensor, Tensor]:
    """Indices and offsets for `embedding_bag`: each of `count` sums takes all `width` rows in order."""
    with torch.inference_mode(False):
        return torch.arange(width).repeat(count), torch.arange(0, count * width, width)


@functools.lru_cache(maxsize=1024)
def adds_in_order(width: int, out: int, threads: int) -> bool:
    """Whether matrix products [n, width] @ [width, out] with n >= FEW_ROWS equal `add_in_order` on this machine.

    Tested with random numbers, some of which would round differently in any other order, once for each number of
    `threads`, the current one: products are distributed over the threads, which changes the order.
    """
    generator = torch.Generator().manual_seed(0)
    x, transposed, residual = (
        torch.randn(shape, generator=generator) for shape in ((_TRIED_ROWS, width), (width, out), (_TRIED_ROWS, out))
    )
    with torch.inference_mode():
        mapped = add_in_order(x, transposed)
        return all(
            torch.equal(torch.mm(x[:rows], transposed), mapped[:rows])
            and torch.equal(torch.addmm(residual[:rows], x[:rows], transposed), mapped[:rows] + residual[:rows])
            for rows in range(FEW_ROWS, _TRIED_ROWS + 1)
        )


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """The weights of one decoder layer, looked up once: scales of norms and linear maps."""

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
        """The weights of a layer, its linear maps made into products by `product`."""
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
        cross_value: [B, H, L, Dh]; may be stored as [B, H, Dh, L], which is fastest for a single query.
        cache: [B * copies, 2, H, T, Dh], keys and values of the tokens fed so far, with capacity for T.
    """

    cross_key: Tensor
    cross_value: Tensor
    cache: Tensor


@dataclass(frozen=True, slots=True)
class StepInput:
    """The positions and masks of the tokens of one step, shared by all layers.

    Attributes:
        rows: N = B * copies, the number of targets being decoded.
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


def layer_memory(
    layer: DecoderLayer, encoded: TokenSequence, source_rotary: Tensor, cache: Tensor, *, transposed: bool = False
) -> LayerMemory:
    """The memory of a layer: a cache, and the keys and values of the encoder's tokens.

    Args:
        layer: a decoder layer.
        encoded: from `UnifiedIO2.encode`, B rows.
        source_rotary: rotary factors of the encoder's tokens, from `head_rotary`.
        cache: [B, 2, H, T, Dh].
        transposed: store values in the layout that is fastest for a single query.
    """
    key, value = layer.cross_attention.keys_values(encoded.embeddings, source_rotary)
    value = value.permute(0, 2, 3, 1).contiguous().mT if transposed else value.transpose(1, 2).contiguous()
    return LayerMemory(key.transpose(1, 2).contiguous(), value, cache)


def layer_step(weights: LayerWeights, memory: LayerMemory, step: StepInput, x: Tensor, mask: Tensor | None) -> Tensor:
    """Run one decoder layer on new tokens; equals `DecoderLayer.forward` without dropout.

    Args:
        weights: weights of the layer.
        memory: memory of the layer; the cache is written in place.
        step: positions of the tokens.
        x: [N * t, D].
        mask: bool, broadcast to [N, H, t, begin + t]; None when every new token sees all tokens so far.

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
    # Copies of a row share its keys, so they are queried as further tokens of that row.
    query = query.view(memory.cross_key.shape[0], -1, heads, width).transpose(1, 2)
    mixed = _attend(query, memory.cross_key, memory.cross_value, step.cross_mask)
    x = weights.cross_out.plus(x, mixed.transpose(1, 2).reshape(x.shape[0], -1), rows)

    return weights.down.plus(x, swiglu(weights.gate_up(rms_norm_of_few(x, weights.mlp_norm), rows)), rows)


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax attention of [B, H, Lq, Dh]; one query reads keys, and transposed values, once and in order."""
    if query.shape[2] > 1 or mask is not None or value.stride(-1) == 1:
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    # Both products take transposed views that torch multiplies without copies; other layouts would be slow.
    row = query * query.shape[-1] ** -0.5
    weights = torch.matmul(key, row.mT).mT.softmax(dim=-1)
    return torch.matmul(value.mT, weights.mT).mT

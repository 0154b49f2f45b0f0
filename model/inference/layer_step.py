"""One step of a decoder layer: the only place where the decoder is computed token by token.

A library adds in another order for a few rows than for many, and a tie between two levels of an action could then be
decided differently. There are two remedies. With small weights every number is added up in order, term by term: by
`embedding_bag`, whose sums of weighted rows of a table are just that, or, from a few rows on, by a product of matrices
where that is found to do the same on the machine at hand. Large weights, of which this would need a copy, are
multiplied with each row of the batch on its own.
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
from embodio.model.layers.layers import Linear, is_turned, linear
from embodio.model.layers.token_sequence import TokenSequence
from embodio.model.network.transformer import DecoderLayer

SMALL_BYTES = 1 << 19
"""Larger weights are not copied."""

FEW_ROWS = 4
"""Products of fewer rows than that run in other kernels."""

_TRIED_ROWS = 48


class Product(Protocol):
    """A linear map of the tokens of several rows."""

    def __call__(self, x: Tensor, rows: int) -> Tensor:
        """Map [B * t, in] to [B * t, out], for B rows."""

    def plus(self, residual: Tensor, x: Tensor, rows: int) -> Tensor:
        """Map [B * t, in] and add it to [B * t, out]."""


class OrderedProduct:
    """`x @ weight.T`, every number of it added up in the order of the weight's columns.

    Args:
        weight: float32 [out, in] on the CPU; copied.
    """

    def __init__(self, weight: Tensor) -> None:
        self.turned = weight.detach().t().contiguous()

    def __call__(self, x: Tensor, rows: int) -> Tensor:
        """Map [n, in] to [n, out]."""
        if len(x) >= FEW_ROWS and self._at_once:
            return torch.mm(x, self.turned)
        return add_in_order(x, self.turned)

    def plus(self, residual: Tensor, x: Tensor, rows: int) -> Tensor:
        """Map [n, in] and add it to [n, out]."""
        if len(x) >= FEW_ROWS and self._at_once:
            return torch.addmm(residual, x, self.turned)
        return add_in_order(x, self.turned).add_(residual)

    @property
    def _at_once(self) -> bool:
        """Whether a product of matrices adds in order, with the threads that there are now."""
        return adds_in_order(*self.turned.shape, torch.get_num_threads())


class RowProduct:
    """`x @ weight.T` for each row of the batch on its own, for any float weight [out, in]."""

    def __init__(self, weight: Tensor) -> None:
        self.weight, self.turned = weight.detach(), weight.detach().t()

    def __call__(self, x: Tensor, rows: int) -> Tensor:
        """Map [B * t, in] to [B * t, out]."""
        if rows == 1:
            return functional.linear(x, self.weight)
        return torch.bmm(x.unflatten(0, (rows, -1)), self.turned.expand(rows, -1, -1)).flatten(0, 1)

    def plus(self, residual: Tensor, x: Tensor, rows: int) -> Tensor:
        """Map [B * t, in] and add it to [B * t, out]."""
        if rows == 1:
            return torch.addmm(residual, x, self.turned)
        apart = residual.unflatten(0, (rows, -1)), x.unflatten(0, (rows, -1))
        return torch.baddbmm(*apart, self.turned.expand(rows, -1, -1)).flatten(0, 1)


class Int8Product:
    """A linear map with int8 weights, each row of the batch on its own."""

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
    """A linear map by the fastest kernel, in which a row may be rounded differently with others than alone.

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
        if self._weight is None or (len(x) > 1 and is_turned(self._weight)):
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


def add_in_order(x: Tensor, turned: Tensor) -> Tensor:
    """`x @ turned` for x [n, in] and turned [in, out], whose terms are added one after the other."""
    indices, offsets = _bags(*x.shape)
    found: Tensor = torch.embedding_bag(turned, indices, offsets, False, 0, False, x.reshape(-1))[0]
    return found


@functools.lru_cache(maxsize=256)
def _bags(count: int, width: int) -> tuple[Tensor, Tensor]:
    """For `embedding_bag`: each of `count` sums takes all of `width` rows in order, and where it begins."""
    with torch.inference_mode(False):
        return torch.arange(width).repeat(count), torch.arange(0, count * width, width)


@functools.lru_cache(maxsize=1024)
def adds_in_order(width: int, out: int, threads: int) -> bool:
    """Whether products of matrices [n, width] and [width, out] add as `add_in_order` on this machine, if n is not few.

    Tried with random numbers, of which any other order would round some differently, once for each number of `threads`,
    which is the one in force: products are shared out among them, and add in another order then.
    """
    generator = torch.Generator().manual_seed(0)
    x, turned, residual = (
        torch.randn(shape, generator=generator) for shape in ((_TRIED_ROWS, width), (width, out), (_TRIED_ROWS, out))
    )
    with torch.inference_mode():
        mapped = add_in_order(x, turned)
        return all(
            torch.equal(torch.mm(x[:rows], turned), mapped[:rows])
            and torch.equal(torch.addmm(residual[:rows], x[:rows], turned), mapped[:rows] + residual[:rows])
            for rows in range(FEW_ROWS, _TRIED_ROWS + 1)
        )


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


def layer_memory(
    layer: DecoderLayer, encoded: TokenSequence, source_rotary: Tensor, cache: Tensor, *, transposed: bool = False
) -> LayerMemory:
    """A cache, and the keys and values of the encoder's tokens.

    Args:
        layer: of the decoder.
        encoded: from `UnifiedIO2.encode`, B rows.
        source_rotary: of the encoder's tokens, from `head_rotary`.
        cache: [B, 2, H, T, Dh].
        transposed: store values as a single query reads them fastest.
    """
    key, value = layer.cross_attention.keys_values(encoded.embeddings, source_rotary)
    value = value.permute(0, 2, 3, 1).contiguous().mT if transposed else value.transpose(1, 2).contiguous()
    return LayerMemory(key.transpose(1, 2).contiguous(), value, cache)


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

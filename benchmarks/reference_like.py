"""A plain network that does the work of the published PyTorch code, to compare the speed of ours with in the same run.

It gives the same numbers as ours from the same weights, in the published way: queries, keys and values are separate
products, as are the two halves of the gated MLP; attention is written out, with a float mask as large as the logits;
rotary embedding turns real numbers pair by pair; while decoding, keys and values of the encoder's tokens are computed
again for every token in every layer, and the caches of the target's own grow by copying.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.benchmarks.errors import BenchmarkError
from embodio.model import Batch, UnifiedIO2
from embodio.model.attention import CrossAttention, SelfAttention
from embodio.model.inputs import PatchInput, TextInput
from embodio.model.layers import GatedMLP
from embodio.model.rotary import grid_rotary, interleave, text_rotary
from embodio.model.transformer import EncoderLayer
from embodio.model.vit import ImageTower, TowerBlock

Module = TypeVar("Module", bound=nn.Module)

MASKED = -1e10
"""What is added to the logits of hidden tokens."""

INPUTS = {"inputs/text/tokens", "inputs/image/input"}


def rms_norm(x: Tensor, scale: Tensor) -> Tensor:
    """Root-mean-square norm of [..., D], one plain operation after the other."""
    inner = x.float()
    return scale * (inner * torch.rsqrt(inner.pow(2).mean(-1, keepdim=True) + 1e-6)).to(x.dtype)


def rotate(x: Tensor, table: Tensor) -> Tensor:
    """Turn neighbouring pairs of x [B, L, H, Dh] by a table [L, Dh] of cos, sin, cos, sin, ..."""
    cos, sin = table.unflatten(-1, (-1, 2))[None, :, None].unbind(-1)
    first, second = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((first * cos - second * sin, second * cos + first * sin), dim=-1).flatten(-2).to(x.dtype)


def attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """Softmax attention of [B, L, H, Dh] with a bias [B, 1, Lq, Lk], written out; returns [B, Lq, H * Dh]."""
    logits = torch.einsum("bqhd,bkhd->bhqk", query.float() / query.shape[-1] ** 0.5, key.float()) + bias
    weights = torch.softmax(logits, dim=-1).to(value.dtype)
    return torch.einsum("bhqk,bkhd->bqhd", weights, value).flatten(2)


def full_bias(rows: Tensor, columns: Tensor) -> Tensor:
    """Additive float mask [B, 1, Lq, Lk] of two masks [B, L], 1 where a token is valid."""
    allowed = rows[:, None, :, None] * columns[:, None, None, :]
    return torch.where(allowed > 0, 0.0, MASKED)


def split(weight: Tensor, parts: int) -> tuple[Tensor, ...]:
    """The weights [out, in] of fused linear maps, one each; no memory is copied."""
    return weight.chunk(parts)


class ReferenceLike:
    """Encodes text and an image, and decodes text, with the weights of a network of ours (batch size 1 or more)."""

    def __init__(self, model: UnifiedIO2) -> None:
        self.model = model
        self.heads, self.head_dim = model.config.transformer.num_heads, model.config.transformer.head_dim

    @torch.no_grad()
    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Encoder output [B, L, D] and the rotary table [L, Dh] of its tokens.

        Raises:
            BenchmarkError: the batch holds other inputs than text without padding and a whole image.
        """
        if other := set(batch) - INPUTS:
            raise BenchmarkError(f"the plain network cannot read {sorted(other)}; give it {sorted(INPUTS)} only")
        embedded, tables = [], []
        if "inputs/text/tokens" in batch:
            x, table = self._text(batch["inputs/text/tokens"])
            embedded, tables = [x], [table]
        if "inputs/image/input" in batch:
            x, table = self._image(batch["inputs/image/input"])
            embedded, tables = [*embedded, x], [*tables, table]
        x, table = torch.cat(embedded, dim=1), torch.cat(tables)
        valid = x.new_ones(x.shape[:2])
        bias = full_bias(valid, valid)
        for layer in self.model.encoder.layers:
            x = self._encoder_layer(layer, x, table, bias)
        return rms_norm(x, self.model.encoder.norm.scale), table

    def _text(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        part = _of(self.model.inputs["text"], TextInput)
        x = functional.embedding(tokens, self.model.table("text")) + part.modality_vector
        table = text_rotary(part.length, self.head_dim, tokens.device)[: tokens.shape[1]]
        return x, interleave(table)

    def _image(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        part, tower = _of(self.model.inputs["image"], PatchInput), _of(self.model.towers["image"], ImageTower)
        x = functional.linear(patches, tower.embedding.weight) + tower.position_table(part.grid)
        first = (tower.class_token + tower.positions[0]).expand(patches.shape[0], 1, -1)
        x = tower.pre_norm(torch.cat((first, x), dim=1))
        valid = x.new_ones(x.shape[:2])
        bias, features = full_bias(valid, valid), []
        for block in tower.blocks:
            x = _tower_block(_of(block, TowerBlock), x, bias)
            features.append(x[:, 1:])
        joined = torch.cat((features[-1], features[1]), dim=-1)
        table = grid_rotary(*part.grid, self.head_dim, part.scale, patches.device)
        return functional.linear(joined, part.projection.weight) + part.modality_vector, interleave(table)

    def _encoder_layer(self, layer: nn.Module, x: Tensor, table: Tensor, bias: Tensor) -> Tensor:
        layer = _of(layer, EncoderLayer)
        query, key, value = self.project(layer.attention, rms_norm(x, layer.attention_norm.scale), table)
        x = x + functional.linear(attention(query, key, value, bias), layer.attention.out.weight)
        return x + gated_mlp(layer.mlp, rms_norm(x, layer.mlp_norm.scale))

    def project(self, own: SelfAttention, x: Tensor, table: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values [B, L, H, Dh] of self-attention, each a product of its own."""
        query, key, value = (self.heads_of(x, weight) for weight in split(own.query_key_value.weight, 3))
        query, key = (rms_norm(part, scale) for part, scale in zip((query, key), own.query_key_norm, strict=True))
        return rotate(query, table), rotate(key, table), value

    def project_cross(self, cross: CrossAttention, encoded: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values [B, L, H, Dh] of cross-attention."""
        key, value = (self.heads_of(encoded, weight) for weight in split(cross.key_value.weight, 2))
        return rotate(rms_norm(key, cross.key_norm[0]), table), value

    def heads_of(self, x: Tensor, weight: Tensor) -> Tensor:
        """A linear map of [B, L, D], cut into heads [B, L, H, Dh]."""
        return functional.linear(x, weight).unflatten(-1, (self.heads, self.head_dim))


class ReferenceLikeDecoder:
    """Decodes text token by token, as `ReferenceLike` encodes."""

    def __init__(self, network: ReferenceLike, encoded: Tensor, table: Tensor) -> None:
        self._network, self._encoded, self._source_table = network, encoded, table
        self._target = network.model.target("text")
        self._table = interleave(self._target.rotary(encoded.device))
        self._caches: list[tuple[Tensor, Tensor] | None] = [None] * len(network.model.decoder.layers)
        self._length = 0

    @torch.no_grad()
    def step(self, tokens: Tensor) -> Tensor:
        """Feed one token int [B, 1] per row; returns logits [B, 1, V]."""
        network, model = self._network, self._network.model
        x = self._target.embed(tokens, model.table("text"))
        row = self._table[self._length : self._length + 1]
        self._length += 1
        one = x.new_ones(x.shape[0], 1)
        own_bias = full_bias(one, x.new_ones(x.shape[0], self._length))
        cross_bias = full_bias(one, self._encoded.new_ones(self._encoded.shape[:2]))
        for index, layer in enumerate(model.decoder.layer_list()):
            own, cross = layer.self_attention, layer.cross_attention
            query, key, value = network.project(own, rms_norm(x, layer.self_attention_norm.scale), row)
            cached = self._caches[index]
            if cached is not None:
                key, value = torch.cat((cached[0], key), dim=1), torch.cat((cached[1], value), dim=1)
            self._caches[index] = (key, value)
            x = x + functional.linear(attention(query, key, value, own_bias), own.out.weight)
            query = network.heads_of(rms_norm(x, layer.cross_attention_norm.scale), cross.query.weight)
            query = rotate(rms_norm(query, cross.query_norm[0]), row)
            key, value = network.project_cross(cross, self._encoded, self._source_table)
            x = x + functional.linear(attention(query, key, value, cross_bias), cross.out.weight)
            x = x + gated_mlp(layer.mlp, rms_norm(x, layer.mlp_norm.scale))
        hidden = rms_norm(x, model.decoder.norm.scale)
        return functional.linear(hidden, model.table("text")) / hidden.shape[-1] ** 0.5


def gated_mlp(mlp: GatedMLP, x: Tensor) -> Tensor:
    """The gated MLP of [B, L, D] as three products."""
    gate, up = split(mlp.gate_up.weight, 2)
    return functional.linear(functional.silu(functional.linear(x, gate)) * functional.linear(x, up), mlp.down.weight)


def _tower_block(block: TowerBlock, x: Tensor, bias: Tensor) -> Tensor:
    normed, joined = block.attention_norm(x), block.query_key_value
    query, key, value = (
        functional.linear(normed, weight, offset).unflatten(-1, (block.num_heads, -1))
        for weight, offset in zip(split(joined.weight, 3), split(joined.bias, 3), strict=True)
    )
    x = x + block.out(attention(query, key, value, bias))
    return x + block.down(functional.gelu(block.up(block.mlp_norm(x)), approximate=block.gelu))


def _of(module: nn.Module, kind: type[Module]) -> Module:
    """The module as what it must be; raises BenchmarkError if the network is built otherwise."""
    if not isinstance(module, kind):
        raise BenchmarkError(f"the plain network knows no {type(module).__name__} in the place of a {kind.__name__}")
    return module

"""A plain network that does the work of the published PyTorch code, as a speed reference in the same run.

It computes the same numbers as ours from the same weights, in the published way: queries, keys and values are separate
products, as are the two halves of the gated MLP; attention is written out, and every layer turns the mask into a float
bias as large as a head's logits; rotary embedding turns real numbers pair by pair; while decoding, keys and values of
the encoder's tokens are computed again for every token in every layer, the caches of the target's own grow by copying,
and sparse patterns of image targets become biases that nothing uses. The loop that picks tokens is not part of it.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.benchmarks.errors import BenchmarkError
from embodio.model import Batch, UnifiedIO2
from embodio.model.layers.attention import CrossAttention, SelfAttention
from embodio.model.layers.layers import GatedMLP
from embodio.model.layers.rotary import grid_rotary, interleave, text_rotary
from embodio.model.layers.vit import ImageTower, TowerBlock
from embodio.model.network.inputs import PatchInput, TextInput
from embodio.model.network.transformer import EncoderLayer

Module = TypeVar("Module", bound=nn.Module)

MASKED = -1e10
"""The bias added to the logits of masked tokens."""

INPUTS = {"inputs/text/tokens", "inputs/image/input"}


def rms_norm(x: Tensor, scale: Tensor) -> Tensor:
    """Root-mean-square norm of [..., D], one plain operation after the other."""
    inner = x.float()
    return scale * (inner * torch.rsqrt(inner.pow(2).mean(-1, keepdim=True) + 1e-6)).to(x.dtype)


def rotate(x: Tensor, table: Tensor) -> Tensor:
    """Rotates neighbouring pairs of x [B, L, H, Dh] by a table [L, Dh] of cos, sin, cos, sin, ..."""
    cos, sin = table.unflatten(-1, (-1, 2))[None, :, None].unbind(-1)
    first, second = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((first * cos - second * sin, second * cos + first * sin), dim=-1).flatten(-2).to(x.dtype)


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax attention of [B, L, H, Dh] with a float mask [B, 1, Lq, Lk], written out; returns [B, Lq, H * Dh]."""
    logits = torch.einsum("bqhd,bkhd->bhqk", query.float() / query.shape[-1] ** 0.5, key.float())
    if mask is not None:
        logits = logits + bias_of(mask)
    weights = torch.softmax(logits, dim=-1).to(value.dtype)
    return torch.einsum("bhqk,bkhd->bqhd", weights, value).flatten(2)


def bias_of(mask: Tensor) -> Tensor:
    """The bias added to logits for a mask that is positive where attention is allowed."""
    return torch.zeros_like(mask).masked_fill_(~(mask > 0), MASKED)


def full_mask(rows: Tensor, columns: Tensor) -> Tensor:
    """Float mask [B, 1, Lq, Lk] of two masks [B, L], 1 where both tokens are valid."""
    return rows[:, None, :, None] * columns[:, None, None, :]


def split(weight: Tensor, parts: int) -> tuple[Tensor, ...]:
    """The weights [out, in] of each of the fused linear maps, without copying."""
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
            BenchmarkError: The batch holds inputs other than text without padding and a whole image.
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
        mask = full_mask(valid, valid)
        for layer in self.model.encoder.layers:
            x = self._encoder_layer(layer, x, table, mask)
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
        mask, features = full_mask(valid, valid), []
        for block in tower.blocks:
            x = _tower_block(_of(block, TowerBlock), x, mask)
            features.append(x[:, 1:])
        joined = torch.cat((features[-1], features[1]), dim=-1)
        table = grid_rotary(*part.grid, self.head_dim, part.scale, patches.device)
        return functional.linear(joined, part.projection.weight) + part.modality_vector, interleave(table)

    def _encoder_layer(self, layer: nn.Module, x: Tensor, table: Tensor, mask: Tensor) -> Tensor:
        layer = _of(layer, EncoderLayer)
        query, key, value = self.project(layer.attention, rms_norm(x, layer.attention_norm.scale), table)
        x = x + functional.linear(attention(query, key, value, mask), layer.attention.out.weight)
        return x + gated_mlp(layer.mlp, rms_norm(x, layer.mlp_norm.scale))

    def project(self, own: SelfAttention, x: Tensor, table: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values [B, L, H, Dh] of self-attention, each from its own product."""
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
    """Decodes text or image codes token by token, as `ReferenceLike` encodes."""

    def __init__(self, network: ReferenceLike, encoded: Tensor, table: Tensor, modality: str = "text") -> None:
        self._network, self._encoded, self._source_table, self._modality = network, encoded, table, modality
        self._target = network.model.target(modality)
        self._table = interleave(self._target.rotary(encoded.device))
        self._caches: list[tuple[Tensor, Tensor] | None] = [None] * len(network.model.decoder.layers)
        self._length = 0
        side = 1 if modality == "text" else self._table.shape[0]
        self._pattern = encoded.new_ones(1, 4, side, side)

    @torch.no_grad()
    def step(self, tokens: Tensor) -> Tensor:
        """Feeds one token int [B, 1] per row; returns logits [B, 1, V]."""
        network, model = self._network, self._network.model
        x = self._target.embed(tokens, model.table(self._modality))
        row = self._table[self._length : self._length + 1]
        self._length += 1
        cross_mask = full_mask(x.new_ones(x.shape[0], 1), self._encoded.new_ones(self._encoded.shape[:2]))
        pattern = self._pattern.expand(x.shape[0], -1, -1, -1)
        for index, layer in enumerate(model.decoder.layer_list()):
            own, cross = layer.self_attention, layer.cross_attention
            query, key, value = network.project(own, rms_norm(x, layer.self_attention_norm.scale), row)
            bias_of(pattern[:, index % 4 : index % 4 + 1])
            x = x + functional.linear(attention(query, *self._cached(index, key, value), None), own.out.weight)
            query = network.heads_of(rms_norm(x, layer.cross_attention_norm.scale), cross.query.weight)
            query = rotate(rms_norm(query, cross.query_norm[0]), row)
            key, value = network.project_cross(cross, self._encoded, self._source_table)
            x = x + functional.linear(attention(query, key, value, cross_mask), cross.out.weight)
            x = x + gated_mlp(layer.mlp, rms_norm(x, layer.mlp_norm.scale))
        hidden = rms_norm(x, model.decoder.norm.scale)
        return functional.linear(hidden, model.table(self._modality)) / hidden.shape[-1] ** 0.5

    def _cached(self, index: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values [B, T, H, Dh] of a layer so far, with those of the next token; kept as [B, H, T, Dh]."""
        new, cached = (key.transpose(1, 2), value.transpose(1, 2)), self._caches[index]
        if cached is not None:
            new = (torch.cat((cached[0], new[0]), dim=2), torch.cat((cached[1], new[1]), dim=2))
        self._caches[index] = new
        return new[0].transpose(1, 2), new[1].transpose(1, 2)


def gated_mlp(mlp: GatedMLP, x: Tensor) -> Tensor:
    """The gated MLP of [B, L, D] as three products."""
    gate, up = split(mlp.gate_up.weight, 2)
    return functional.linear(functional.silu(functional.linear(x, gate)) * functional.linear(x, up), mlp.down.weight)


def _tower_block(block: TowerBlock, x: Tensor, mask: Tensor) -> Tensor:
    normed, joined = block.attention_norm(x), block.query_key_value
    query, key, value = (
        functional.linear(normed, weight, offset).unflatten(-1, (block.num_heads, -1))
        for weight, offset in zip(split(joined.weight, 3), split(joined.bias, 3), strict=True)
    )
    x = x + block.out(attention(query, key, value, mask))
    return x + block.down(functional.gelu(block.up(block.mlp_norm(x)), approximate=block.gelu))


def _of(module: nn.Module, kind: type[Module]) -> Module:
    """The module as the class it must be; raises BenchmarkError if the network is built differently."""
    if not isinstance(module, kind):
        raise BenchmarkError(f"the plain network needs a {kind.__name__}, got a {type(module).__name__}")
    return module

"""The decoder in steps, such that what a row becomes does not depend on the rows beside it.

Its products are those of `embodio.model.inference.row_products`; everything else in a step works row by row anyway.
`embodio.agent.planning.runtime` checks on the machine at hand that rows together are as alone before it relies on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.model.inference.row_products import Product, linear_product
from embodio.model.inference.word_tree import WordTree
from embodio.model.layers.fused import norm_rotate_, rms_norm_of_few, swiglu
from embodio.model.layers.token_sequence import TokenSequence, cross_attention_mask
from embodio.model.network.network import UnifiedIO2
from embodio.model.network.transformer import head_rotary


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """The weights of one decoder layer, looked up once."""

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


class DecoderWeights:
    """All that decoding reads of a network; made once and shared by all answers.

    Args:
        model: the network.
        make: makes products from linear layers.
    """

    def __init__(self, model: UnifiedIO2, make: Callable[[nn.Module], Product] = linear_product) -> None:
        self.model = model
        self.heads = model.config.transformer.num_heads
        self.scale = model.config.transformer.emb_dim**-0.5
        self.norm = model.decoder.norm.scale
        self.layers = []
        for layer in model.decoder.layer_list():
            own, cross = layer.self_attention, layer.cross_attention
            self.layers.append(
                LayerWeights(
                    self_norm=layer.self_attention_norm.scale,
                    query_key_value=make(own.query_key_value),
                    query_key_norm=own.query_key_norm,
                    self_out=make(own.out),
                    cross_norm=layer.cross_attention_norm.scale,
                    query=make(cross.query),
                    query_norm=cross.query_norm,
                    cross_out=make(cross.out),
                    mlp_norm=layer.mlp_norm.scale,
                    gate_up=make(layer.mlp.gate_up),
                    down=make(layer.mlp.down),
                )
            )
        self._caches: dict[tuple[int, int], Tensor] = {}

    def cache(self, rows: int, length: int, like: Tensor) -> Tensor:
        """Room for keys and values [layers, B, T, 2, H, Dh]; the same memory whenever the sizes are the same."""
        size = (rows, length)
        if size not in self._caches:
            if len(self._caches) >= 32:
                self._caches.clear()
            shape = (len(self.layers), rows, length, 2, self.heads, self.model.config.transformer.head_dim)
            self._caches[size] = torch.empty(shape, dtype=like.dtype, device=like.device)
        return self._caches[size]


class RowDecoder:
    """Reads the tokens of one answer per row; only one at a time may use the weights' cache of its size.

    Args:
        weights: of the network that encoded the inputs.
        encoded: the encoder's output for B rows.
        length: most tokens that will be read.
        own_cache: use memory of its own, for two decoders that run side by side.
    """

    def __init__(
        self, weights: DecoderWeights, encoded: TokenSequence, length: int, *, own_cache: bool = False
    ) -> None:
        self._weights, self._length = weights, 0
        model = weights.model
        table = model.target("text").rotary(encoded.embeddings.device)
        self._rotary = head_rotary(table[None, :length], weights.heads)
        source = head_rotary(encoded.rotary, weights.heads)
        self._cross = []
        for layer in model.decoder.layer_list():
            key, value = layer.cross_attention.keys_values(encoded.embeddings, source)
            self._cross.append((key.transpose(1, 2).contiguous(), value.transpose(1, 2).contiguous()))
        self._mask = cross_attention_mask(encoded.mask)
        self._cache = weights.cache(encoded.embeddings.shape[0], length, self._cross[0][0])
        if own_cache:
            self._cache = torch.empty_like(self._cache)

    def read(self, tokens: Tensor, valid: Tensor | None = None, tree: WordTree | None = None) -> Tensor:
        """Reads the next tokens; returns what the network makes of the last one, and of the beginnings of words.

        Multiplied with rows of the text table it gives logits.

        Args:
            tokens: int64 [B, t].
            valid: bool [B, begin + t] of all tokens so far and these; the others are hidden. None if all are valid.
            tree: words that may follow; their beginnings are read as well, and forgotten again.

        Returns:
            [B, 1 + m, D].
        """
        begin, count = self._length, tokens.shape[1]
        end = self._length = begin + count
        asked = count - 1
        rotary, mask = self._rotary[:, begin:end], None
        if valid is not None:
            tokens, rotary, mask = self._ragged(tokens, valid, tree)
        elif count > 1:
            mask = torch.ones(count, end, dtype=torch.bool, device=tokens.device).tril(begin)
        model, (rows, count) = self._weights.model, tokens.shape
        x = model.target("text").embed(tokens.flatten(), model.table("text"))
        for index, layer in enumerate(self._weights.layers):
            x = self._layer(layer, index, x, (rows, count), begin, rotary, mask)
        return rms_norm_of_few(x.view(rows, count, -1)[:, asked:], self._weights.norm) * self._weights.scale

    def _ragged(self, tokens: Tensor, valid: Tensor, tree: WordTree | None) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens with the beginnings of words, and for each its rotary factors and which tokens it sees."""
        rows, count = tokens.shape
        end = valid.shape[1]
        places = (valid.cumsum(dim=1) - 1)[:, end - count :]
        own = torch.ones(count, end, dtype=torch.bool, device=tokens.device)
        # A token that is not valid sees itself, so that it has something to see.
        mask = (own.tril(end - count) & valid[:, None]) | (own.tril(end - count) & own.triu(end - count))
        if tree is not None and len(tree.tokens):
            extra = len(tree.tokens)
            tokens = torch.cat((tokens, tree.tokens.expand(rows, -1)), dim=1)
            places = torch.cat((places, valid.sum(dim=1, keepdim=True) + tree.depth), dim=1)
            above = torch.cat((mask, mask.new_zeros(rows, count, extra)), dim=2)
            below = torch.cat((valid[:, None].expand(-1, extra, -1), tree.sees.expand(rows, -1, -1)), dim=2)
            mask = torch.cat((above, below), dim=1)
        return tokens, self._rotary[0][places.clamp(min=0)], mask[:, None]

    def _layer(
        self,
        layer: LayerWeights,
        index: int,
        x: Tensor,
        shape: tuple[int, int],
        begin: int,
        rotary: Tensor,
        mask: Tensor | None,
    ) -> Tensor:
        """One decoder layer on x [B * t, D], `shape` being (B, t)."""
        (rows, count), (cross_key, cross_value) = shape, self._cross[index]
        heads, width = cross_key.shape[1], cross_key.shape[3]
        cache = self._cache[index]
        fused = layer.query_key_value(rms_norm_of_few(x, layer.self_norm), rows).view(rows, count, 3, heads, width)
        norm_rotate_(fused, layer.query_key_norm, rotary)
        cache[:, begin : begin + count] = fused[:, :, 1:]
        keys, values = cache[:, : begin + count].transpose(1, 3).unbind(2)
        mixed = functional.scaled_dot_product_attention(fused[:, :, 0].transpose(1, 2), keys, values, attn_mask=mask)
        x = layer.self_out.plus(x, mixed.transpose(1, 2).reshape(len(x), -1), rows)

        query = layer.query(rms_norm_of_few(x, layer.cross_norm), rows).view(rows, count, 1, heads, width)
        norm_rotate_(query, layer.query_norm, rotary)
        mixed = functional.scaled_dot_product_attention(
            query.squeeze(2).transpose(1, 2), cross_key, cross_value, attn_mask=self._mask
        )
        x = layer.cross_out.plus(x, mixed.transpose(1, 2).reshape(len(x), -1), rows)
        return layer.down.plus(x, swiglu(layer.gate_up(rms_norm_of_few(x, layer.mlp_norm), rows)), rows)

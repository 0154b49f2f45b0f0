"""AnswerReader: the decoder of agents, in which a row does not depend on other rows of the batch.

Its products are those of `embodio.model.inference.layer_step`; all other operations of a step are row-wise anyway.
`embodio.agent.planning.runtime` verifies on the current machine that batched rows equal single rows.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from embodio.model.inference.layer_step import (
    LayerWeights,
    Product,
    StepInput,
    layer_memory,
    layer_step,
    linear_product,
)
from embodio.model.inference.word_tree import WordTree
from embodio.model.layers.fused import rms_norm_of_few
from embodio.model.layers.token_sequence import TokenSequence, cross_attention_mask
from embodio.model.network.network import UnifiedIO2
from embodio.model.network.transformer import head_rotary


class DecoderWeights:
    """The weights that decoding reads, looked up once and shared by all answers.

    Args:
        model: the network.
        make: makes products from linear layers.
    """

    def __init__(self, model: UnifiedIO2, make: Callable[[nn.Module], Product] = linear_product) -> None:
        self.model = model
        self.heads = model.config.transformer.num_heads
        self.scale = model.config.transformer.emb_dim**-0.5
        self.norm = model.decoder.norm.scale
        self.layers = [LayerWeights.of(layer, make) for layer in model.decoder.layer_list()]
        self._caches: dict[tuple[int, int], Tensor] = {}

    def cache(self, rows: int, length: int, like: Tensor) -> Tensor:
        """A buffer of keys and values [layers, B, 2, H, T, Dh]; reused for equal sizes."""
        size = (rows, length)
        if size not in self._caches:
            if len(self._caches) >= 32:
                self._caches.clear()
            shape = (len(self.layers), rows, 2, self.heads, length, self.model.config.transformer.head_dim)
            self._caches[size] = torch.empty(shape, dtype=like.dtype, device=like.device)
        return self._caches[size]


class AnswerReader:
    """Reads the tokens of one answer per row; only one at a time may use the weights' cache of its size.

    Args:
        weights: decoder weights of the network that encoded the inputs.
        encoded: the encoder's output for B rows.
        length: largest number of tokens to read.
        own_cache: allocate a separate cache, for two decoders that run in parallel.
    """

    def __init__(
        self, weights: DecoderWeights, encoded: TokenSequence, length: int, *, own_cache: bool = False
    ) -> None:
        self._weights, self._length = weights, 0
        model = weights.model
        table = model.target("text").rotary(encoded.embeddings.device)
        self._rotary = head_rotary(table[None, :length], weights.heads)
        source = head_rotary(encoded.rotary, weights.heads)
        self._mask = cross_attention_mask(encoded.mask)
        cache = weights.cache(encoded.embeddings.shape[0], length, encoded.embeddings)
        if own_cache:
            cache = torch.empty_like(cache)
        self._layers = [
            layer_memory(layer, encoded, source, part)
            for layer, part in zip(model.decoder.layer_list(), cache, strict=True)
        ]

    def read(self, tokens: Tensor, valid: Tensor | None = None, tree: WordTree | None = None) -> Tensor:
        """Reads the next tokens; returns hidden states of the last token and of the prefixes of words.

        Their products with rows of the text table are logits.

        Args:
            tokens: int64 [B, t].
            valid: bool [B, begin + t] for all tokens up to and including these; others are masked. None if all valid.
            tree: words that may follow; their prefixes are read as well, but not kept.

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
        step = StepInput(rows, count, begin, rotary, self._mask)
        for layer, memory in zip(self._weights.layers, self._layers, strict=True):
            x = layer_step(layer, memory, step, x, mask)
        return rms_norm_of_few(x.view(rows, count, -1)[:, asked:], self._weights.norm) * self._weights.scale

    def _ragged(self, tokens: Tensor, valid: Tensor, tree: WordTree | None) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens followed by the prefixes of words, with their rotary factors and attention mask."""
        rows, count = tokens.shape
        end = valid.shape[1]
        places = (valid.cumsum(dim=1) - 1)[:, end - count :]
        own = torch.ones(count, end, dtype=torch.bool, device=tokens.device)
        # An invalid token attends to itself, so that its softmax is defined.
        mask = (own.tril(end - count) & valid[:, None]) | (own.tril(end - count) & own.triu(end - count))
        if tree is not None and len(tree.tokens):
            extra = len(tree.tokens)
            tokens = torch.cat((tokens, tree.tokens.expand(rows, -1)), dim=1)
            places = torch.cat((places, valid.sum(dim=1, keepdim=True) + tree.depth), dim=1)
            above = torch.cat((mask, mask.new_zeros(rows, count, extra)), dim=2)
            below = torch.cat((valid[:, None].expand(-1, extra, -1), tree.sees.expand(rows, -1, -1)), dim=2)
            mask = torch.cat((above, below), dim=1)
        return tokens, self._rotary[0][places.clamp(min=0)], mask[:, None]

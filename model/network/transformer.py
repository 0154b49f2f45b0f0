"""The encoder and the decoder: pre-norm layers of self-attention, cross-attention and gated MLP (paper, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from embodio.model.config.parts import TransformerConfig
from embodio.model.layers.attention import CrossAttention, SelfAttention
from embodio.model.layers.block_attention import causal_blocks, skips_blocks
from embodio.model.layers.layers import Dropout, GatedMLP, RMSNorm
from embodio.model.layers.packed_attention import Mask, causal_spans
from embodio.model.layers.sparse_masks import layer_masks
from embodio.model.layers.token_sequence import TokenSequence, decoder_cross_mask, encoder_mask, self_attention_mask
from embodio.model.pauses import BETWEEN, pause


def head_rotary(rotary: Tensor, num_heads: int) -> Tensor:
    """Shape factors [B or 1, L, Dh / 2] for `norm_rotate`: [B or 1, L, H or 1, Dh / 2].

    Factors shared by all rows are copied for every head, because a product of equal inner shapes is several times
    faster than one that broadcasts in the middle; factors per row are not, as the copies would cost more than they
    save.
    """
    shaped = rotary.unsqueeze(2)
    if rotary.shape[0] == 1:
        return shaped.expand(-1, -1, num_heads, -1).contiguous()
    return shaped


class EncoderLayer(nn.Module):
    """Self-attention in both directions, then a gated MLP."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        dim = config.emb_dim
        self.attention_norm = RMSNorm(dim)
        self.attention = SelfAttention(dim, config.num_heads, config.head_dim)
        self.mlp_norm = RMSNorm(dim)
        self.mlp = GatedMLP(dim, config.mlp_dim, config.dropout_rate)
        self.dropout = Dropout(config.dropout_rate)

    def forward(self, x: Tensor, rotary: Tensor, mask: Mask) -> Tensor:
        """Map x [B, L, D] to [B, L, D]; `rotary` comes from `head_rotary`, `mask` from `encoder_mask`."""
        x = x + self.dropout(self.attention(self.attention_norm(x), rotary, mask))
        return x + self.dropout(self.mlp(self.mlp_norm(x)))


class Encoder(nn.Module):
    """Encoder layers and a final norm."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.num_encoder_layers))
        self.norm = RMSNorm(config.emb_dim)
        self.dropout = Dropout(config.dropout_rate)

    def forward(self, tokens: TokenSequence) -> TokenSequence:
        """Encode a sequence; positions, mask and segments stay with the result for the decoder."""
        rotary = head_rotary(tokens.rotary, self.num_heads)
        mask = encoder_mask(tokens)
        x = self.dropout(tokens.embeddings)
        for layer in self.layers:
            if not torch.compiler.is_compiling() and BETWEEN.get() is not None:
                pause()
            x = layer(x, rotary, mask)
        return tokens.with_embeddings(self.dropout(self.norm(x)))


class DecoderLayer(nn.Module):
    """Causal self-attention, cross-attention to the encoder's tokens, then a gated MLP."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        dim = config.emb_dim
        self.self_attention_norm = RMSNorm(dim)
        self.self_attention = SelfAttention(dim, config.num_heads, config.head_dim)
        self.cross_attention_norm = RMSNorm(dim)
        self.cross_attention = CrossAttention(dim, config.num_heads, config.head_dim)
        self.mlp_norm = RMSNorm(dim)
        self.mlp = GatedMLP(dim, config.mlp_dim, config.dropout_rate)
        self.dropout = Dropout(config.dropout_rate)

    def forward(
        self,
        x: Tensor,
        rotary: Tensor,
        mask: Mask,
        context: tuple[Tensor, Tensor],
        cross_mask: Mask,
    ) -> Tensor:
        """Map x [B, L, D] to [B, L, D].

        Args:
            x: the target tokens.
            rotary: from `head_rotary`.
            mask: from `self_attention_mask(causal=True)`; None means causal and nothing else.
            context: the encoder's tokens [B, S, D], and their rotary factors from `head_rotary`.
            cross_mask: from `decoder_cross_mask`.
        """
        keys_values = self.cross_attention.keys_values(*context)
        mixed = self.self_attention(self.self_attention_norm(x), rotary, mask, causal=mask is None)
        x = x + self.dropout(mixed)
        x = x + self.dropout(self.cross_attention(self.cross_attention_norm(x), keys_values, rotary, cross_mask))
        return x + self.dropout(self.mlp(self.mlp_norm(x)))


class Decoder(nn.Module):
    """Decoder layers and a final norm, for whole sequences; `embodio.model.inference` runs the same layers in steps."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.num_decoder_layers))
        self.norm = RMSNorm(config.emb_dim)
        self.dropout = Dropout(config.dropout_rate)

    def layer_list(self) -> list[DecoderLayer]:
        """The layers, first to last."""
        return [cast(DecoderLayer, layer) for layer in self.layers]

    def forward(self, tokens: TokenSequence, encoded: TokenSequence) -> Tensor:
        """Hidden states [B, L, D] of the target tokens, given the encoder's tokens."""
        rotary = head_rotary(tokens.rotary, self.num_heads)
        context = encoded.embeddings, head_rotary(encoded.rotary, self.num_heads)
        masks = self._masks(tokens)
        cross_mask = decoder_cross_mask(tokens, encoded)
        x = self.dropout(tokens.embeddings)
        for layer, mask in zip(self.layer_list(), masks, strict=True):
            x = layer(x, rotary, mask, context, cross_mask)
        return self.dropout(self.norm(x))

    def _masks(self, tokens: TokenSequence) -> Sequence[Mask]:
        """The self-attention mask of each layer; one for all, unless the masks of the paper are in force."""
        place, count = tokens.placement, len(self.layers)
        if tokens.spans is not None:
            return causal_spans(tokens.spans, tokens.segments, place, count)
        if tokens.examples is not None and skips_blocks(tokens.embeddings.device):
            return causal_blocks(tokens.examples, tokens.segments, place, count)
        mask = self_attention_mask(tokens, causal=True)
        if place is None:
            return [mask] * count
        if mask is None:
            mask = torch.ones(tokens.length, tokens.length, dtype=torch.bool, device=tokens.embeddings.device).tril()
        return layer_masks(place, place, count, mask)

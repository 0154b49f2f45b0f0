"""Resampler: a perceiver that compresses a history frame into a few learned latents (paper, section 3.1)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from embodio.model.config.parts import ResamplerConfig
from embodio.model.layers.attention import CrossAttention
from embodio.model.layers.layers import MLP, RMSNorm, init_fan_in
from embodio.model.layers.token_sequence import cross_attention_mask


class ResamplerLayer(nn.Module):
    """Cross-attention of the latents to the frame, then an MLP; both pre-norm with residual."""

    def __init__(self, config: ResamplerConfig, gelu: Literal["tanh", "erf"]) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.emb_dim)
        self.attention = CrossAttention(config.emb_dim, config.num_heads, config.head_dim, config.attention)
        self.mlp_norm = RMSNorm(config.emb_dim)
        self.mlp = MLP(config.emb_dim, config.mlp_dim, gelu)

    def forward(self, latents: Tensor, context: Tensor, mask: Tensor | None) -> Tensor:
        """Map latents [B, n, D] to [B, n, D], given a normalised context [B, N, D] and its mask bool [B, 1, 1, N]."""
        read = self.attention(self.attention_norm(latents), self.attention.keys_values(context), mask=mask)
        latents = latents + read
        return latents + self.mlp(self.mlp_norm(latents))


class Resampler(nn.Module):
    """Turns the N features of a frame into `num_latents` tokens."""

    def __init__(self, config: ResamplerConfig, gelu: Literal["tanh", "erf"]) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.empty(config.num_latents, config.emb_dim))
        init_fan_in(self.latents, truncated=False)
        self.context_norm = RMSNorm(config.emb_dim)
        self.layers = nn.ModuleList(ResamplerLayer(config, gelu) for _ in range(config.num_layers))
        self.norm = RMSNorm(config.emb_dim)

    def forward(self, features: Tensor, mask: Tensor | None) -> Tensor:
        """Resample frames.

        Args:
            features: [B, N, D], one frame a row.
            mask: bool [B, N], True where a feature is valid; None when all are.

        Returns:
            [B, num_latents, D].
        """
        context = self.context_norm(features)
        allowed = cross_attention_mask(mask)
        latents = self.latents.expand(features.shape[0], -1, -1)
        for layer in self.layers:
            latents = layer(latents, context, allowed)
        return self.norm(latents)

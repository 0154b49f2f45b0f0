"""Multi-head attention with normalised, rotated queries and keys; every product runs in `scaled_dot_product_attention`.

Projections that read the same input are one matrix. Tensors stay [B, L, H, Dh] and are only viewed as [B, H, L, Dh],
the layout that the attention kernels read and write without copies.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.model.fused import norm_rotate
from embodio.model.layers import Linear

MAX_LOGIT_SCALE = math.log(100.0)


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    mask: Tensor | None = None,
    causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Softmax attention.

    Args:
        query: [B, Lq, H, Dh].
        key: [B, Lk, H, Dh].
        value: [B, Lk, H, Dh].
        mask: bool broadcastable to [B, H, Lq, Lk], True where allowed.
        causal: hide keys after the query; only without a mask.
        scale: factor on the logits, 1 / sqrt(Dh) by default.

    Returns:
        [B, Lq, H * Dh].
    """
    mixed = functional.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), attn_mask=mask, is_causal=causal, scale=scale
    )
    return mixed.transpose(1, 2).flatten(2)


class SelfAttention(nn.Module):
    """Self-attention of the transformer: fused projection, QK-norm, rotary embedding (section 3.2 of the paper)."""

    def __init__(self, dim: int, num_heads: int, head_dim: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query_key_value = Linear(dim, 3 * num_heads * head_dim, truncated=False)
        self.query_key_norm = nn.Parameter(torch.ones(2, head_dim))
        self.out = Linear(num_heads * head_dim, dim, truncated=False)

    def project(self, x: Tensor, rotary: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys, values [B, L, H, Dh] of x [B, L, D]; `rotary` is complex64 [B or 1, L, H or 1, Dh / 2]."""
        fused = self.query_key_value(x).unflatten(-1, (3, self.num_heads, -1))
        query, key, value = norm_rotate(fused, self.query_key_norm, rotary)
        return query, key, value

    def forward(self, x: Tensor, rotary: Tensor, mask: Tensor | None, causal: bool = False) -> Tensor:
        """Mix the tokens of x [B, L, D]; see `attend` for the mask. Returns [B, L, D]."""
        query, key, value = self.project(x, rotary)
        return self.out(attend(query, key, value, mask=mask, causal=causal))


class CrossAttention(nn.Module):
    """Cross-attention whose keys and values can be computed once and used for many queries.

    `kind` is "qk_norm" (per-head norms, logits divided by sqrt(Dh)), "cosine" (unit queries and keys times a learned
    scale per head, at most 100; section 3.2 of the paper) or "plain".
    """

    def __init__(
        self, dim: int, num_heads: int, head_dim: int, kind: Literal["qk_norm", "cosine", "plain"] = "qk_norm"
    ) -> None:
        super().__init__()
        self.num_heads, self.kind = num_heads, kind
        width = num_heads * head_dim
        self.query = Linear(dim, width, truncated=False)
        self.key_value = Linear(dim, 2 * width, truncated=False)
        self.out = Linear(width, dim, truncated=False)
        if kind == "qk_norm":
            self.query_norm = nn.Parameter(torch.ones(1, head_dim))
            self.key_norm = nn.Parameter(torch.ones(1, head_dim))
        elif kind == "cosine":
            self.logit_scale = nn.Parameter(torch.full((num_heads,), math.log(10.0)))

    def keys_values(self, context: Tensor, rotary: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Keys and values [B, L, H, Dh] of a context [B, L, D]; see `SelfAttention.project` for `rotary`."""
        fused = self.key_value(context).unflatten(-1, (2, self.num_heads, -1))
        if self.kind == "qk_norm":
            key, value = norm_rotate(fused, self.key_norm, rotary)
            return key, value
        key, value = fused.unbind(2)
        return (functional.normalize(key, dim=-1) if self.kind == "cosine" else key), value

    def forward(
        self, x: Tensor, keys_values: tuple[Tensor, Tensor], rotary: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """Mix context values into x [B, L, D]; `mask` hides context tokens, see `attend`. Returns [B, L, D]."""
        query = self.query(x).unflatten(-1, (self.num_heads, -1))
        scale = None
        if self.kind == "qk_norm":
            (query,) = norm_rotate(query.unsqueeze(2), self.query_norm, rotary)
        elif self.kind == "cosine":
            factor = self.logit_scale.clamp(max=MAX_LOGIT_SCALE).exp().unsqueeze(-1)
            query, scale = functional.normalize(query, dim=-1) * factor, 1.0
        return self.out(attend(query, *keys_values, mask=mask, scale=scale))

"""Multi-head attention with normalised and rotated queries and keys, computed by `scaled_dot_product_attention`.

Projections of the same input are fused into one matrix. Tensors are [B, L, H, Dh] and viewed as [B, H, L, Dh], which
the attention kernels read and write without copies.

Networks with int8 weights multiply many tokens in bfloat16 instead (`attention_dtype`), in explicit products, because
torch's kernel is no faster in bfloat16 than in float32.
"""

from __future__ import annotations

import functools
import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.model.layers.fused import norm_rotate
from embodio.model.layers.layers import Linear
from embodio.model.layers.packed_attention import Mask, PackedAttention

MAX_LOGIT_SCALE = math.log(100.0)

MANY_TOKENS = 128
"""From this many keys on, products in bfloat16 gain more than the conversion costs."""

_HEADS = 4
"""Number of heads with logits that fit into the processor's cache."""


@functools.lru_cache(maxsize=1)
def multiplies_bfloat16() -> bool:
    """Whether the processor has bfloat16 product instructions that torch detects."""
    known = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return known is not None and bool(known()) and torch.backends.mkldnn.is_available()


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    mask: Mask = None,
    causal: bool = False,
    scale: float | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Softmax attention.

    Args:
        query: [B, Lq, H, Dh].
        key: [B, Lk, H, Dh].
        value: [B, Lk, H, Dh].
        mask: bool broadcastable to [B, H, Lq, Lk], True where allowed; or packed examples, which see themselves only.
        causal: hide keys after the query; only without a mask.
        scale: factor on the logits, 1 / sqrt(Dh) by default.
        dtype: dtype of the products if there are many keys and no mask; by default that of the query.

    Returns:
        [B, Lq, H * Dh], dtype of the query.
    """
    if isinstance(mask, PackedAttention):
        return mask.attend(query, key, value, scale)
    if dtype is not None and mask is None and not causal and key.shape[1] >= MANY_TOKENS:
        return _attend_in(dtype, query, key, value, query.shape[-1] ** -0.5 if scale is None else scale)
    views = query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
    if query.device.type == "cpu" and query.requires_grad and torch.is_grad_enabled():
        mixed = _attend_widely(*views, mask, causal, scale)
    else:
        mixed = functional.scaled_dot_product_attention(*views, attn_mask=mask, is_causal=causal, scale=scale)
    return mixed.transpose(1, 2).flatten(2)


def _attend_widely(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool, scale: float | None
) -> Tensor:
    """Attention in float32 at least: on a CPU the gradient takes ten times as long in bfloat16."""
    wide = torch.promote_types(query.dtype, torch.float32)
    with torch.autocast("cpu", enabled=False):
        mixed = functional.scaled_dot_product_attention(
            query.to(wide), key.to(wide), value.to(wide), attn_mask=mask, is_causal=causal, scale=scale
        )
    return mixed.to(query.dtype)


def _attend_in(dtype: torch.dtype, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """`attend` without masks, as explicit products in `dtype` with a softmax between them."""
    queries, keys, values = (part.to(dtype).transpose(1, 2).flatten(0, 1) for part in (query * scale, key, value))
    mixed = torch.empty_like(queries)
    for begin in range(0, len(queries), _HEADS):
        heads = slice(begin, begin + _HEADS)
        weights = torch.bmm(queries[heads], keys[heads].mT).softmax(dim=-1)
        torch.bmm(weights, values[heads], out=mixed[heads])
    return mixed.unflatten(0, (query.shape[0], -1)).transpose(1, 2).flatten(2).to(query.dtype)


class SelfAttention(nn.Module):
    """Self-attention of the transformer: fused projection, QK-norm, rotary embedding (section 3.2 of the paper)."""

    attention_dtype: torch.dtype | None = None

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

    def forward(self, x: Tensor, rotary: Tensor, mask: Mask, causal: bool = False) -> Tensor:
        """Mix the tokens of x [B, L, D]; see `attend` for the mask. Returns [B, L, D]."""
        query, key, value = self.project(x, rotary)
        return self.out(attend(query, key, value, mask=mask, causal=causal, dtype=self.attention_dtype))


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
        self, x: Tensor, keys_values: tuple[Tensor, Tensor], rotary: Tensor | None = None, mask: Mask = None
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

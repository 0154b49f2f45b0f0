"""Attention of packed rows on a GPU: FlexAttention, which skips blocks of positions that share no example."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from embodio.model.layers.packed_attention import PackedAttention
from embodio.model.layers.sparse_masks import Pattern, Placement, are_near, layer_pattern

_LEAST_CAPABILITY = (8, 0)
"""First generation of NVIDIA GPUs for which the kernel is made; others compute rows with masks."""

_Allowed = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""Whether a query sees a key, from the numbers of row, head, query and key."""


def skips_blocks(device: torch.device) -> bool:
    """Whether packed rows on this device are computed here."""
    return (
        device.type == "cuda"
        and torch.cuda.get_device_capability(device) >= _LEAST_CAPABILITY
        and importlib.util.find_spec("triton") is not None
    )


@functools.lru_cache(maxsize=2)
def _kernel(device_type: str) -> Callable[..., Any]:
    """FlexAttention, compiled where there is a kernel; imported late, as an agent need not wait for it."""
    from torch.nn.attention.flex_attention import flex_attention

    kernel: Callable[..., Any] = flex_attention
    if device_type == "cuda":
        kernel = torch.compile(kernel)
    return kernel


class BlockAttention(PackedAttention):
    """Attention in packed rows, of tokens of the same example only.

    Args:
        queries: int64 [R, Pq], the example of each token that asks.
        keys: int64 [R, Pk], the example of each token that is asked.
        limits: further conditions that a query sees a key.
    """

    def __init__(self, queries: Tensor, keys: Tensor, *limits: _Allowed) -> None:
        def allowed(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
            found = queries[row, query] == keys[row, key]
            for limit in limits:
                found = found & limit(row, head, query, key)
            return found

        from torch.nn.attention.flex_attention import create_block_mask

        (rows, asking), asked = queries.shape, keys.shape[1]
        self._mask = create_block_mask(allowed, rows, None, asking, asked, device=str(queries.device))

    def attend(self, query: Tensor, key: Tensor, value: Tensor, scale: float | None) -> Tensor:
        """Attention of query [R, Pq, H, Dh] to key and value [R, Pk, H, Dh]; returns [R, Pq, H * Dh]."""
        parts = (part.transpose(1, 2) for part in (query, key, value))
        mixed: Tensor = _kernel(query.device.type)(*parts, block_mask=self._mask, scale=scale)
        return mixed.transpose(1, 2).flatten(2)


def not_later(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
    """Whether a key is not after the query."""
    return query >= key


def of_one_answer(segments: Tensor) -> _Allowed:
    """Whether both are of one answer of their example, by segments int64 [R, P]."""
    return lambda row, head, query, key: segments[row, query] == segments[row, key]


def causal_blocks(
    examples: Tensor, segments: Tensor | None, placement: Placement | None, num_layers: int
) -> Sequence[PackedAttention]:
    """Causal self-attention of each layer of the decoder over packed targets; layers of one pattern share theirs.

    Args:
        examples: int64 [R, P], the example of each token.
        segments: int64 [R, P], answers that do not see each other; None for one of each example.
        placement: grid positions [R, P] of the tokens, if the masks of the paper are in force.
        num_layers: of the decoder.
    """
    limits: list[_Allowed] = [not_later] if segments is None else [not_later, of_one_answer(segments)]
    if placement is not None and placement.visible is not None:
        limits.append(_visible(placement.visible))
    if placement is None or not placement.sparse:
        return [BlockAttention(examples, examples, *limits)] * num_layers
    patterns = [layer_pattern(layer, num_layers) for layer in range(num_layers)]
    made = {
        name: BlockAttention(examples, examples, *limits, _near(name, placement.position, placement.width))
        for name in dict.fromkeys(patterns)
    }
    return [made[name] for name in patterns]


def _visible(visible: Tensor) -> _Allowed:
    return lambda row, head, query, key: (visible[row, query] & visible[row, key]) | (query == key)


def _near(pattern: Pattern, position: Tensor, width: Tensor) -> _Allowed:
    return lambda row, head, query, key: are_near(pattern, position[row, query], position[row, key], width[row, query])

"""Attention of packed examples on a CPU: one call of the kernel for each run of examples of one length.

The examples lie one after the other in one flat sequence without padding, each a span. No call touches the tokens of
two examples, so nothing is computed that a mask would throw away: five to six times faster than a mask over packed
rows, at 64 examples of 40 to 220 tokens.

    spans    3 3 5           three examples, of three, three and five tokens
    runs     2 x 3, 1 x 5    two calls, the first on a batch of two
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from embodio.model.layers.sparse_masks import Placement, layer_masks


class PackedAttention(ABC):
    """Attention in which each example of a packed sequence sees its own tokens only; stands where a mask does."""

    @abstractmethod
    def attend(self, query: Tensor, key: Tensor, value: Tensor, scale: float | None) -> Tensor:
        """As `embodio.model.layers.attention.attend`: [B, Lq, H, Dh] and [B, Lk, H, Dh] to [B, Lq, H * Dh]."""


Mask = Tensor | PackedAttention | None
"""What limits attention: a bool mask, packed examples, or nothing."""


class SegmentRun(NamedTuple):
    """Examples side by side that have the same number of queries and of keys.

    Attributes:
        examples: how many, N.
        queries: tokens of each that ask.
        keys: tokens of each that are asked.
        query_start: place of the first query in the flat sequence.
        key_start: place of the first key in its flat sequence.
    """

    examples: int
    queries: int
    keys: int
    query_start: int
    key_start: int


@dataclass(frozen=True)
class Spans:
    """The lengths of the examples of a flat sequence [1, T], in their order; 0 for an example without tokens."""

    lengths: tuple[int, ...]

    def runs(self, keys: Spans) -> Iterator[SegmentRun]:
        """The runs of examples that ask here and are asked there."""
        query_start = key_start = 0
        found: list[SegmentRun] = []
        for own, other in zip(self.lengths, keys.lengths, strict=True):
            if found and (found[-1].queries, found[-1].keys) == (own, other):
                found[-1] = found[-1]._replace(examples=found[-1].examples + 1)
            else:
                found.append(SegmentRun(1, own, other, query_start, key_start))
            query_start, key_start = query_start + own, key_start + other
        return (run for run in found if run.queries and run.keys)


class SpanAttention(PackedAttention):
    """Attention from the spans of a flat sequence to those of the same examples in another, or the same, one.

    Args:
        queries: spans of the tokens that ask.
        keys: spans of the tokens that are asked.
        causal: hide later tokens, where there is no mask.
        masks: for each run a mask to add to the logits, float [N or 1, 1, queries, keys], or None; None for no masks.
    """

    def __init__(
        self, queries: Spans, keys: Spans, *, causal: bool = False, masks: Sequence[Tensor | None] | None = None
    ) -> None:
        self._runs = tuple(queries.runs(keys))
        self._masks = tuple(masks or [None] * len(self._runs))
        self._causal = causal
        asking = sum(run.examples * run.queries for run in self._runs)
        asked = sum(run.examples * run.keys for run in self._runs)
        self._covered = (asking, asked) == (sum(queries.lengths), sum(keys.lengths))

    def attend(self, query: Tensor, key: Tensor, value: Tensor, scale: float | None) -> Tensor:
        """Attention of query [1, Tq, H, Dh] to key and value [1, Tk, H, Dh]; returns [1, Tq, H * Dh]."""
        mixed: Tensor = _Attend.apply(query[0], key[0], value[0], self, scale)  # type: ignore[no-untyped-call]
        return mixed.flatten(1).unsqueeze(0)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, scale: float | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The result [Tq, H, Dh], and for each run the logarithm of the sum of its exponentials."""
        mixed, sums = self._fresh(query), []
        parts = self._asking(query), self._asked(key), self._asked(value)
        for *views, result, mask in zip(*parts, self._asking(mixed), self._masks, strict=True):
            causal, mask = self._causal and mask is None, _as(mask, query)
            own, total = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
                *views, 0.0, causal, attn_mask=mask, scale=scale
            )
            result.copy_(own)
            sums.append(total)
        return mixed, tuple(sums)

    def backward(
        self, grad: Tensor, saved: tuple[Tensor, Tensor, Tensor, Tensor], sums: Sequence[Tensor], scale: float | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of query, key and value, which are saved with the result, of the gradient [Tq, H, Dh].

        They are computed in float32 at least: the kernel takes ten times as long in bfloat16.
        """
        wide = torch.promote_types(grad.dtype, torch.float32)
        grad, query, key, value, mixed = (part.to(wide) for part in (grad, *saved))
        found = self._fresh(query), self._fresh(key), self._fresh(value)
        parts = self._asking(grad), self._asking(query), self._asked(key), self._asked(value), self._asking(mixed)
        results = zip(self._asking(found[0]), self._asked(found[1]), self._asked(found[2]), strict=True)
        for *views, total, mask, own in zip(*parts, sums, self._masks, results, strict=True):
            causal, mask = self._causal and mask is None, _as(mask, query)
            grads = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward(
                *views, total, 0.0, causal, attn_mask=mask, scale=scale
            )
            for result, one in zip(own, grads, strict=True):
                result.copy_(one)
        return found

    def _fresh(self, like: Tensor) -> Tensor:
        """A tensor of this shape for results, of zeros if some of it will not be written."""
        make = torch.empty if self._covered else torch.zeros
        return make(like.shape, dtype=like.dtype)

    def _asking(self, flat: Tensor) -> list[Tensor]:
        """For each run the view [N, H, queries, Dh] of a flat sequence [T, H, Dh]."""
        return _views(flat, [(run.query_start, run.examples, run.queries) for run in self._runs])

    def _asked(self, flat: Tensor) -> list[Tensor]:
        """For each run the view [N, H, keys, Dh] of a flat sequence [T, H, Dh]."""
        return _views(flat, [(run.key_start, run.examples, run.keys) for run in self._runs])


def _views(flat: Tensor, places: Sequence[tuple[int, int, int]]) -> list[Tensor]:
    """Views [N, H, L, Dh] of a flat sequence [T, H, Dh] at (start, N, L), each made by one call."""
    (_, heads, width), (token, head, along), begin = flat.shape, flat.stride(), flat.storage_offset()
    return [
        flat.as_strided((count, heads, length, width), (length * token, head, token, along), begin + start * token)
        for start, count, length in places
    ]


def _as(mask: Tensor | None, query: Tensor) -> Tensor | None:
    return None if mask is None else mask.to(query.dtype)


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, attention: SpanAttention, scale: float | None
    ) -> Tensor:
        mixed, sums = attention.forward(query, key, value, scale)
        ctx.save_for_backward(query, key, value, mixed, *sums)
        ctx.attention, ctx.scale = attention, scale
        return mixed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:  # type: ignore[override]
        query, key, value, mixed, *sums = ctx.saved_tensors
        grads = ctx.attention.backward(grad, (query, key, value, mixed), sums, ctx.scale)
        return *(one.to(query.dtype) for one in grads), None, None


def causal_spans(
    spans: Spans, segments: Tensor | None, placement: Placement | None, num_layers: int
) -> list[PackedAttention]:
    """Causal self-attention of each layer of the decoder over flat targets; layers of one pattern share theirs.

    Args:
        spans: of the examples.
        segments: int64 [1, T], answers that do not see each other; None for one of each example.
        placement: grid positions [1, T] of the tokens, if the masks of the paper are in force.
        num_layers: of the decoder.
    """
    plain: PackedAttention = SpanAttention(spans, spans, causal=True)
    if segments is None and placement is None:
        return [plain] * num_layers
    columns = [_run_masks(run, segments, placement, num_layers) for run in spans.runs(spans)]
    found: dict[tuple[int, ...], PackedAttention] = {}
    layers = list(zip(*columns, strict=True)) or [()] * num_layers
    for masks in layers:
        key = tuple(id(mask) for mask in masks)
        found.setdefault(key, SpanAttention(spans, spans, causal=True, masks=masks))
    return [found[tuple(id(mask) for mask in masks)] for masks in layers]


def _run_masks(
    run: SegmentRun, segments: Tensor | None, placement: Placement | None, num_layers: int
) -> list[Tensor | None]:
    """The mask of each layer, float [N or 1, 1, L, L], or None where causal is all."""

    def own(values: Tensor) -> Tensor:
        stop = run.query_start + run.examples * run.queries
        return values[0, run.query_start : stop].unflatten(0, (run.examples, run.queries))

    allowed = None
    if segments is not None:
        ids = own(segments)
        if bool((ids != ids[:, :1]).any()):
            allowed = (ids.unsqueeze(-1) == ids.unsqueeze(-2)).unsqueeze(1)
    place = None
    if placement is not None:
        visible = None if placement.visible is None else own(placement.visible)
        visible = None if visible is None or bool(visible.all()) else visible
        width = own(placement.width)
        place = Placement(own(placement.position), width, visible, placement.sparse and bool(width.any()))
    if allowed is None and (place is None or not (place.sparse or place.visible is not None)):
        return [None] * num_layers
    later = torch.ones(run.queries, run.queries, dtype=torch.bool).tril()
    allowed = later if allowed is None else allowed & later
    masks = [allowed] * num_layers if place is None else layer_masks(place, place, num_layers, allowed)
    added: dict[int, Tensor] = {}
    for mask in masks:
        if mask is not None and id(mask) not in added:
            square = mask.expand(-1, 1, -1, -1) if mask.dim() == 4 else mask[None, None]
            added[id(mask)] = torch.zeros(square.shape).masked_fill_(~square, float("-inf"))
    return [None if mask is None else added[id(mask)] for mask in masks]

"""Attention of packed examples: the same as a mask over all of them, to the gradients, whatever their lengths."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from embodio.model.layers.attention import attend
from embodio.model.layers.packed_attention import SpanAttention, Spans, causal_spans
from embodio.model.layers.sparse_masks import Placement, layer_masks

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def owners(spans: Spans) -> Tensor:
    return torch.repeat_interleave(torch.arange(len(spans.lengths)), torch.tensor(spans.lengths, dtype=torch.int64))


def outcome(query: Tensor, key: Tensor, value: Tensor, mask: object) -> tuple[Tensor, ...]:
    parts = [part.clone().requires_grad_() for part in (query, key, value)]
    mixed = attend(*parts, mask=mask)  # type: ignore[arg-type]
    mixed.square().sum().backward()
    return mixed.detach(), *(part.grad for part in parts if part.grad is not None)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 6)), min_size=1, max_size=8).filter(
        lambda pairs: any(queries for queries, _ in pairs)
    )
)
def test_spans_equal_a_mask(pairs: list[tuple[int, int]]) -> None:
    queries, keys = Spans(tuple(pair[0] for pair in pairs)), Spans(tuple(pair[1] for pair in pairs))
    torch.manual_seed(len(pairs))
    query = torch.randn(1, sum(queries.lengths), 2, 4)
    key, value = torch.randn(2, 1, sum(keys.lengths), 2, 4)
    own = owners(queries)[:, None] == owners(keys)[None, :]
    found, expected = outcome(query, key, value, SpanAttention(queries, keys)), outcome(query, key, value, own)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, **CLOSE)


def test_runs_join_examples_of_one_length() -> None:
    runs = list(Spans((3, 3, 0, 3, 5)).runs(Spans((2, 2, 2, 2, 2))))
    assert [(run.examples, run.queries, run.keys, run.query_start, run.key_start) for run in runs] == [
        (2, 3, 2, 0, 0),
        (1, 3, 2, 6, 6),
        (1, 5, 2, 9, 8),
    ]


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_causal_masks_of_every_layer(sparse: bool, dynamic: bool, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    spans = Spans((6, 6, 9, 4))
    total, layers = sum(spans.lengths), 5
    position = torch.cat([torch.arange(length) for length in spans.lengths])[None]
    width = torch.where(owners(spans) == 3, 0, 3)[None] if sparse else torch.zeros(1, total, dtype=torch.int64)
    placement = Placement(position, width, torch.rand(1, total) < 0.7 if dynamic else None, sparse)
    segments = torch.where(owners(spans) == 2, position[0] // 4, 1)[None]
    query, key, value = torch.randn(3, 1, total, 2, 4, dtype=dtype)
    own = owners(spans)
    allowed = (own[:, None] == own) & (segments[0][:, None] == segments[0]) & torch.ones(total, total).tril().bool()
    visible = layer_masks(placement, placement, layers, allowed)
    for layer, attention in enumerate(causal_spans(spans, segments, placement, layers)):
        # One sequence of all examples has equal positions in several, so the diagonal of the plain one is its own.
        plain = visible[layer]
        assert plain is not None
        plain = plain & allowed | torch.eye(total, dtype=torch.bool)
        found, expected = outcome(query, key, value, attention), outcome(query, key, value, plain)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, **CLOSE)


def test_layers_of_one_pattern_share_their_attention() -> None:
    spans = Spans((4, 4))
    assert len({id(one) for one in causal_spans(spans, None, None, 6)}) == 1
    placement = Placement.of_grid(8, 2, torch.device("cpu"))
    assert len({id(one) for one in causal_spans(spans, None, placement, 6)}) == 3


@pytest.mark.parametrize("packed", [False, True])
def test_gradients_in_bfloat16_are_those_of_float32_rounded(packed: bool) -> None:
    torch.manual_seed(0)
    spans = Spans((7, 12, 3))
    own = owners(spans)
    mask = SpanAttention(spans, spans) if packed else own[:, None] == own
    rounded = torch.randn(3, 1, sum(spans.lengths), 2, 8).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = outcome(*rounded, mask)
    expected = outcome(*rounded.float(), mask)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == torch.bfloat16
        torch.testing.assert_close(one.float(), other, rtol=0.02, atol=0.02)

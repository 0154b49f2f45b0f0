"""Products of the decoder give a row the same bits whatever the rows next to it, and what a plain product gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from embodio.model.inference.layer_step import (
    SMALL_BYTES,
    OrderedProduct,
    Product,
    RowProduct,
    add_in_order,
    adds_in_order,
    float_product,
    linear_product,
)


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def in_order(x: np.ndarray, transposed: np.ndarray, fused: bool) -> np.ndarray:
    """Term by term; `fused`: a product is exact, and rounded together with the sum so far."""
    total = np.zeros((len(x), transposed.shape[1]), dtype=np.float32)
    for term in range(len(transposed)):
        exact = x[:, term, None].astype(np.float64) * transposed[term]
        total = (total + (exact if fused else exact.astype(np.float32))).astype(np.float32)
    return total


@pytest.mark.parametrize(("width", "out"), [(128, 384), (352, 128), (128, 2), (7, 5), (1, 1)])
@torch.inference_mode()
def test_rows_do_not_depend_on_rows(width: int, out: int) -> None:
    product, x, residual = OrderedProduct(drawn(out, width)), drawn(40, width), drawn(40, out)
    mapped, added = product(x, 40), product.plus(residual, x, 40)
    torch.testing.assert_close(mapped, x @ product.transposed, atol=1e-4, rtol=1e-4)
    for rows in range(1, 40):
        assert torch.equal(product(x[-rows:], rows), mapped[-rows:])
        assert torch.equal(product.plus(residual[-rows:], x[-rows:], rows), added[-rows:])


@torch.inference_mode()
def test_sums_are_added_in_order() -> None:
    x, transposed = drawn(3, 50), drawn(50, 20)
    found = add_in_order(x, transposed).numpy()
    assert any(np.array_equal(found, in_order(x.numpy(), transposed.numpy(), fused)) for fused in (True, False))


@torch.inference_mode()
def test_products_that_add_otherwise_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine whose products of matrices round in another way."""
    plain = torch.mm
    monkeypatch.setattr(torch, "mm", lambda a, b: plain(a, b) * (1 + 1e-6))
    adds_in_order.cache_clear()
    try:
        product, x = OrderedProduct(drawn(32, 16)), drawn(8, 16)
        assert not adds_in_order(16, 32, torch.get_num_threads())
        assert torch.equal(product(x, 8)[:1], product(x[:1], 1))
    finally:
        adds_in_order.cache_clear()


@pytest.mark.parametrize("make", [OrderedProduct, RowProduct])
@torch.inference_mode()
def test_several_tokens_of_several_rows(make: type[OrderedProduct] | type[RowProduct]) -> None:
    weight, x, residual = drawn(24, 16), drawn(3 * 5, 16), drawn(3 * 5, 24)
    product: Product = make(weight)
    torch.testing.assert_close(product(x, 3), x @ weight.t())
    torch.testing.assert_close(product.plus(residual, x, 3), residual + x @ weight.t())


def test_large_weights_are_not_copied() -> None:
    large = torch.empty(SMALL_BYTES // 4 // 64 + 1, 64)
    product = float_product(large)
    assert isinstance(product, RowProduct) and product.weight.data_ptr() == large.data_ptr()
    assert isinstance(float_product(torch.empty(8, 8, dtype=torch.bfloat16)), RowProduct)
    assert isinstance(linear_product(nn.Linear(8, 8)), OrderedProduct)

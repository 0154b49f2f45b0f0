"""Linear maps of the decoder's steps: the fastest, and those in which a row does not depend on the rows next to it.

A library adds in another order for a few rows than for many, and a tie between two levels of an action could then be
decided differently. There are two remedies. With small weights every number is added up in order, term by term: by
`embedding_bag`, whose sums of weighted rows of a table are just that, or, from a few rows on, by a product of matrices
where that is found to do the same on the machine at hand. Large weights, of which this would need a copy, are
multiplied with each row of the batch on its own.
"""

from __future__ import annotations

import functools
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.model.layers.layers import Linear
from embodio.model.layers.products import is_turned, linear

SMALL_BYTES = 1 << 19
"""Larger weights are not copied."""

FEW_ROWS = 4
"""Products of fewer rows than that run in other kernels."""

_TRIED_ROWS = 48


class Product(Protocol):
    """A linear map of the tokens of several rows."""

    def __call__(self, x: Tensor, rows: int) -> Tensor:
        """Map [B * t, in] to [B * t, out], for B rows."""

    def plus(self, residual: Tensor, x: Tensor, rows: int) -> Tensor:
        """Map [B * t, in] and add it to [B * t, out]."""


class OrderedProduct:
    """`x @ weight.T`, every number of it added up in the order of the weight's columns.

    Args:
        weight: float32 [out, in] on the CPU; copied.
    """

    def __init__(self, weight: Tensor) -> None:
        self.turned = weight.detach().t().contiguous()

    def __call__(self, x: Tensor, rows: int) -> Tensor:
        """Map [n, in] to [n, out]."""
        if len(x) >= FEW_ROWS and self._at_once:
            return torch.mm(x, self.turned)
        return add_in_order(x, self.turned)

    def plus(self, residual: Tensor, x: Tensor, rows: int) -> Tensor:
        """Map [n, in] and add it to [n, out]."""
        if len(x) >= FEW_ROWS and self._at_once:
            return torch.addmm(residual, x, self.turned)
        return add_in_order(x, self.turned).add_(residual)

    @property
    def _at_once(self) -> bool:
        """Whether a product of matrices adds in order, with the threads that there are now."""
        return adds_in_order(*self.turned.shape, torch.get_num_threads())


class RowProduct:
    """`x @ weight.T` for each row of the batch on its own, for any float weight [out, in]."""

    def __init__(self, weight: Tensor) -> None:
        self.weight, self.turned = weight.detach(), weight.detach().t()

    def __call__(self, x: Tensor, rows: int) -> Tensor:
        """Map [B * t, in] to [B * t, out]."""
        if rows == 1:
            return functional.linear(x, self.weight)
        return torch.bmm(x.unflatten(0, (rows, -1)), self.turned.expand(rows, -1, -1)).flatten(0, 1)

    def plus(self, residual: Tensor, x: Tensor, rows: int) -> Tensor:
        """Map [B * t, in] and add it to [B * t, out]."""
        if rows == 1:
            return torch.addmm(residual, x, self.turned)
        apart = residual.unflatten(0, (rows, -1)), x.unflatten(0, (rows, -1))
        return torch.baddbmm(*apart, self.turned.expand(rows, -1, -1)).flatten(0, 1)


class Int8Product:
    """A linear map with int8 weights, each row of the batch on its own."""

    def __init__(self, linear: nn.Module) -> None:
        self._linear = linear

    def __call__(self, x: Tensor, rows: int) -> Tensor:
        """Map [B * t, in] to [B * t, out]."""
        if rows == 1:
            mapped: Tensor = self._linear(x)
            return mapped
        return torch.cat([self._linear(row) for row in x.chunk(rows)])

    def plus(self, residual: Tensor, x: Tensor, rows: int) -> Tensor:
        """Map [B * t, in] and add it to [B * t, out]."""
        return residual + self(x, rows)


class FastestProduct:
    """A linear map by the fastest kernel, in which a row may be rounded differently with others than alone.

    Args:
        module: maps [n, in] to [n, out]: a `Linear`, whose weight is looked up once, or one with int8 weights.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._weight = module.weight if isinstance(module, Linear) else None

    def __call__(self, x: Tensor, rows: int) -> Tensor:
        """Map [B * t, in] to [B * t, out]."""
        mapped: Tensor = self._module(x) if self._weight is None else linear(x, self._weight)
        return mapped

    def plus(self, residual: Tensor, x: Tensor, rows: int) -> Tensor:
        """Map [B * t, in] and add it to [B * t, out]."""
        if self._weight is None or (len(x) > 1 and is_turned(self._weight)):
            return residual + self(x, rows)
        return torch.addmm(residual, x, self._weight.t())


def float_product(weight: Tensor) -> Product:
    """The product with a float weight [out, in]."""
    small = weight.numel() * weight.itemsize <= SMALL_BYTES
    ordered = small and weight.dtype == torch.float32 and weight.device.type == "cpu"
    return OrderedProduct(weight) if ordered else RowProduct(weight)


def linear_product(linear: nn.Module) -> Product:
    """The product with the weight of a linear map."""
    return float_product(cast(Tensor, linear.weight))


def add_in_order(x: Tensor, turned: Tensor) -> Tensor:
    """`x @ turned` for x [n, in] and turned [in, out], whose terms are added one after the other."""
    indices, offsets = _bags(*x.shape)
    found: Tensor = torch.embedding_bag(turned, indices, offsets, False, 0, False, x.reshape(-1))[0]
    return found


@functools.lru_cache(maxsize=256)
def _bags(count: int, width: int) -> tuple[Tensor, Tensor]:
    """For `embedding_bag`: each of `count` sums takes all of `width` rows in order, and where it begins."""
    with torch.inference_mode(False):
        return torch.arange(width).repeat(count), torch.arange(0, count * width, width)


@functools.lru_cache(maxsize=1024)
def adds_in_order(width: int, out: int, threads: int) -> bool:
    """Whether products of matrices [n, width] and [width, out] add as `add_in_order` on this machine, if n is not few.

    Tried with random numbers, of which any other order would round some differently, once for each number of `threads`,
    which is the one in force: products are shared out among them, and add in another order then.
    """
    generator = torch.Generator().manual_seed(0)
    x, turned, residual = (
        torch.randn(shape, generator=generator) for shape in ((_TRIED_ROWS, width), (width, out), (_TRIED_ROWS, out))
    )
    with torch.inference_mode():
        mapped = add_in_order(x, turned)
        return all(
            torch.equal(torch.mm(x[:rows], turned), mapped[:rows])
            and torch.equal(torch.addmm(residual[:rows], x[:rows], turned), mapped[:rows] + residual[:rows])
            for rows in range(FEW_ROWS, _TRIED_ROWS + 1)
        )

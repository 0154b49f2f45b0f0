"""Products of rows with int8 weights on x86: one kernel for few rows and one for many, with a scale per row.

The result of a row is bit-identical whatever the other rows are, as integer sums are exact. fbgemm is fastest for few
rows; oneDNN multiplies many rows a sixth faster, and one row at half the speed.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

ENGINE = "fbgemm"
"""The engine of torch that quantised products are packed for."""

Int8Product = Callable[[Tensor], Tensor]
"""The product float32 [N, out] of rows float32 [N, in] and packed weights."""

_TINY = 1e-30
_ZERO_POINT, _LARGEST = 128, 127


def quantise_weight(weight: Tensor, largest: int = _LARGEST) -> tuple[Tensor, Tensor]:
    """A float32 weight [out, in] as int8 [out, in] of at most `largest`, and each channel's scale float32 [out]."""
    scale = weight.detach().abs().amax(dim=-1).clamp_min_(_TINY).div_(largest)
    integers = (weight.detach() / scale.unsqueeze(-1)).round_().to(torch.int8)
    return integers.contiguous(), scale  # a prepared weight is stored transposed


def has_int8_products() -> bool:
    """Whether this build of torch has the kernels."""
    return ENGINE in torch.backends.quantized.supported_engines


def pack_for_few_rows(weight: Tensor) -> Int8Product:
    """The product with a float32 weight [out, in], fastest for few rows."""
    return _FewRows(*quantise_weight(weight, largest_weight()))


def pack_for_many_rows(weight: Tensor) -> Int8Product:
    """The product with a float32 weight [out, in] for tens of rows and more."""
    if not _onednn_is_exact():
        return pack_for_few_rows(weight)
    return _ManyRows(*quantise_weight(weight))


@functools.lru_cache(maxsize=1)
def largest_weight() -> int:
    """The largest int8 weight with exact products here: 127, or 63 on processors that add pairs in 16 bits."""
    product = _FewRows(torch.full((8, 64), 127, dtype=torch.int8), torch.ones(8))
    return 127 if abs(float(product(torch.ones(1, 64))[0, 0]) - 127 * 64) < 1.0 else 63


@functools.lru_cache(maxsize=1)
def _onednn_is_exact() -> bool:
    """Whether oneDNN's kernel exists and adds the largest numbers exactly, as with VNNI instructions."""
    try:
        product = _ManyRows(torch.full((8, 64), 127, dtype=torch.int8), torch.ones(8))
        return abs(float(product(torch.ones(2, 64))[0, 0]) - 127 * 64) < 1.0
    except (AttributeError, NotImplementedError, RuntimeError):
        return False


class _FewRows:
    def __init__(self, integers: Tensor, scale: Tensor) -> None:
        """Pack weights int8 [out, in] and scales [out]."""
        zeros = torch.zeros(len(scale), dtype=torch.int64)
        with warnings.catch_warnings():
            # The tensor type is deprecated, but the kernel still requires it.
            warnings.filterwarnings("ignore", "torch.quantize_per", UserWarning)
            weight = torch._make_per_channel_quantized_tensor(integers, scale.double(), zeros, 0)
        before = torch.backends.quantized.engine
        torch.backends.quantized.engine = ENGINE
        try:
            self._packed: Any = torch.ops.quantized.linear_prepack(weight, None)
        finally:
            torch.backends.quantized.engine = before

    def __call__(self, rows: Tensor) -> Tensor:
        multiply = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32
        scale = _largest(rows)
        product: Tensor = multiply(rows / scale, 1 / _LARGEST, _ZERO_POINT, self._packed)
        return product.mul_(scale)


class _ManyRows:
    def __init__(self, integers: Tensor, scale: Tensor) -> None:
        """Pack weights int8 [out, in] and scales [out]."""
        self._packed = torch.ops.onednn.qlinear_prepack(integers, None)
        self._scale, self._zeros = scale, torch.zeros(len(scale), dtype=torch.int64)
        # Inductor takes packed weights from frozen graphs only. A decorator would import the compiler, which takes
        # seconds, wherever this module is imported.
        self._product: Int8Product = torch.compiler.disable(self._multiply)

    def __call__(self, rows: Tensor) -> Tensor:
        return self._product(rows)

    def _multiply(self, rows: Tensor) -> Tensor:
        scale = _largest(rows)
        steps = (rows * (_LARGEST / scale)).round_().to(torch.int8)
        product: Tensor = torch.ops.onednn.qlinear_pointwise(
            steps.view(torch.uint8).bitwise_xor_(_ZERO_POINT), 1 / _LARGEST, _ZERO_POINT,
            self._packed, self._scale, self._zeros, None, 1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip
        return product.mul_(scale)

    def __deepcopy__(self, memo: dict[int, Any]) -> _ManyRows:
        """Itself, as it is immutable and torch cannot copy weights packed by oneDNN."""
        return self


def _largest(rows: Tensor) -> Tensor:
    """The largest magnitude [N, 1] of each row [N, in], at least a tiny positive number."""
    return rows.abs().amax(dim=-1, keepdim=True).clamp_min_(_TINY)

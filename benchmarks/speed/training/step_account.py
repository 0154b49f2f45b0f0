"""What a training step is made of: its matrix products and its attention, run bare, and the shares of the rest.

One step is recorded call by call; the recorded products and attentions, forward and backward, are then run again on
random tensors of the same shapes and strides. That is the floor of a step: whatever it takes longer is norms, rotary
embedding, activations, loss, optimiser, copies and Python.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_aten = torch.ops.aten
_PRODUCTS = (_aten.mm.default, _aten.addmm.default, _aten.bmm.default, _aten.convolution.default)
_FORWARD = _aten._scaled_dot_product_flash_attention_for_cpu.default
_BACKWARD = _aten._scaled_dot_product_flash_attention_for_cpu_backward.default
_BUFFERS = 1 << 26
"""Random numbers that stand for the content of all tensors: 256 MB, much more than caches hold."""

_ALLOCATIONS = ("aten::empty", "aten::new_empty", "aten::detach", "aten::set_")
"""Beginnings of the names of calls that move no memory, besides views."""

_ALIGNED = 16
"""Tensors begin at multiples of 64 bytes."""


class Call(NamedTuple):
    """A call of a kernel: the function, and its arguments with tensors as (shape, strides, dtype)."""

    kernel: Any
    arguments: tuple[Any, ...]
    settings: dict[str, Any]


class _Layout(NamedTuple):
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: torch.dtype


class Recording(TorchDispatchMode):
    """While it is on, notes the products and attentions that are computed, and what all other calls move.

    Attributes:
        calls: in their order.
        flops: floating-point operations of them.
        moved: bytes of the tensors that other calls read, and of those that they write.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.flops, self.moved = 0.0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Notes the call, and makes it."""
        if func in _PRODUCTS or func in (_FORWARD, _BACKWARD):
            settings = {name: _layout(value) for name, value in (kwargs or {}).items()}
            self.calls.append(Call(func, tuple(map(_layout, args)), settings))
            self.flops += _flops(func, args)
            return func(*args, **(kwargs or {}))
        result = func(*args, **(kwargs or {}))
        if not func.is_view and not func.name().startswith(_ALLOCATIONS):
            tensors = [one for one in tree_leaves((args, result)) if isinstance(one, Tensor)]
            self.moved += sum(one.numel() * one.element_size() for one in tensors)
        return result

    def bare(self) -> Callable[[], None]:
        """Runs the recorded calls on other content; nothing else is computed."""
        content = _Content()
        calls = [
            (call.kernel, [content.tensor(one) for one in call.arguments],
             {name: content.tensor(one) for name, one in call.settings.items()})
            for call in self.calls
        ]  # fmt: skip

        def run() -> None:
            for kernel, arguments, settings in calls:
                kernel(*arguments, **settings)

        return run


def _layout(value: Any) -> Any:
    return _Layout(tuple(value.shape), value.stride(), value.dtype) if isinstance(value, Tensor) else value


class _Content:
    """Random numbers; each tensor takes the next ones, so that it has to be read from memory, as in a step."""

    def __init__(self) -> None:
        self._numbers, self._next = torch.randn(_BUFFERS), 0

    def tensor(self, value: Any) -> Any:
        """A tensor of a layout; anything else as it is."""
        if not isinstance(value, _Layout):
            return value
        needed = 1 + sum((size - 1) * step for size, step in zip(value.shape, value.strides, strict=True))
        if value.dtype != self._numbers.dtype or needed > len(self._numbers):
            return torch.zeros(needed, dtype=value.dtype).as_strided(value.shape, value.strides)
        start = self._next if self._next + needed <= len(self._numbers) else 0
        self._next = -(-(start + needed) // _ALIGNED) * _ALIGNED
        return self._numbers.as_strided(value.shape, value.strides, start)


def _flops(kernel: Any, arguments: Sequence[Any]) -> float:
    """Floating-point operations of a call; causal attention counts half."""
    tensors = [one for one in arguments if isinstance(one, Tensor)]
    if kernel in (_FORWARD, _BACKWARD):
        query, key = tensors[:2] if kernel is _FORWARD else tensors[1:3]
        causal = arguments[4] if kernel is _FORWARD and len(arguments) > 4 else kernel is _BACKWARD and arguments[7]
        product = 2.0 * query.numel() * key.shape[-2]
        return product * (2 if kernel is _FORWARD else 5) * (0.5 if causal else 1.0)
    left, right = tensors[-2:]
    return 2.0 * left.numel() * right.shape[-1]


_KINDS = {
    "matrix products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::addmm_", "aten::mkldnn"),
    "attention": ("aten::_scaled_dot_product",),
    "optimiser": ("aten::_fused_adamw_", "aten::_foreach", "Optimizer."),
    "loss": ("aten::_softmax", "aten::gather", "aten::scatter_add", "aten::amax", "_CrossEntropy", "aten::log"),
    "activations": ("aten::silu", "aten::gelu", "_SwiGLU"),
    "copies and moves": ("aten::copy_", "aten::cat", "aten::index", "aten::fill_", "aten::embedding", "aten::zero_"),
}
"""Kinds of work in a step -> beginnings of the names of their calls; the rest is norms, rotary, sums and Python."""

REST = "norms, rotary, sums, Python"


def shares(step: Callable[[], object]) -> dict[str, float]:
    """The share of each kind of work in the time of a step, as the profiler sees it; they sum to 1."""
    with profile(activities=[ProfilerActivity.CPU]) as found:
        step()
    times: Counter[str] = Counter()
    for event in found.key_averages():
        kind = next((kind for kind, names in _KINDS.items() if event.key.startswith(names)), REST)
        times[kind] += event.self_cpu_time_total
    total = sum(times.values())
    return {kind: times[kind] / total for kind in (*_KINDS, REST)}

"""Fused operations with hand-written backward passes, for which eager autograd would pass over memory many times.

Each computes in float32 (or float64) and returns the dtype of its input, as the paper's mixed-precision recipe
requires: statistics, rotary embedding and log-sum-exp never run in a 16-bit type.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

RMS_EPSILON = 1e-6
_OPPOSITE = "_embodio_opposite"
"""The attribute of a tensor of rotary factors that holds their conjugates."""


def _at_least_float32(x: Tensor) -> Tensor:
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def _inverse_rms(x: Tensor) -> Tensor:
    """1 / sqrt(mean(x^2) + epsilon) over the last axis, which is kept with size 1."""
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return norm.mul_(x.shape[-1] ** -0.5).square_().add_(RMS_EPSILON).rsqrt_()


def _inverse_rms_of_few(x: Tensor) -> Tensor:
    """`_inverse_rms` in fewer calls: for small tensors, a Python number costs as much as a call or two."""
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return torch.addcmul(_epsilon(x.device), norm, norm, value=1 / x.shape[-1]).rsqrt_()


@functools.lru_cache(maxsize=8)
def _epsilon(device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return torch.full((), RMS_EPSILON, device=device)


class _RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor) -> Tensor:
        inner = _at_least_float32(x)
        inverse = _inverse_rms(inner)
        normal = (inner * inverse).to(x.dtype)
        ctx.save_for_backward(normal, scale, inverse)
        return normal * scale

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        normal, scale, inverse = ctx.saved_tensors
        grad_x, grad_scale = _rms_backward(_at_least_float32(grad), _at_least_float32(normal), scale, inverse)
        return grad_x.to(normal.dtype), grad_scale


def _rms_backward(grad: Tensor, normal: Tensor, scale: Tensor, inverse: Tensor, out: Tensor | None = None) -> Any:
    """Gradients of `scale * normal` where `normal = x * inverse`: those of x [..., D] and of the scale [D].

    With `out`, of the shape of x and any dtype and strides, the first is written there and the second returned alone.
    """
    product = grad * normal
    rows = product.flatten(0, -2)
    grad_scale = rows.sum(0).to(scale.dtype)
    mean = torch.mv(rows, scale.to(rows.dtype)).view_as(inverse).div_(-rows.shape[-1])
    grad_x = torch.mul(grad, scale, out=product).addcmul_(normal, mean)
    if out is None:
        return grad_x.mul_(inverse), grad_scale
    torch.mul(grad_x, inverse, out=out)
    return grad_scale


def rms_norm(x: Tensor, scale: Tensor) -> Tensor:
    """Root-mean-square normalisation `scale * x / sqrt(mean(x^2) + 1e-6)` over the last axis.

    Args:
        x: [..., D] floating point.
        scale: [D], of the dtype of `x`.

    Returns:
        [..., D], dtype of `x`.
    """
    if torch.is_grad_enabled():
        return _RMSNorm.apply(x, scale)  # type: ignore[no-any-return, no-untyped-call]
    inner = _at_least_float32(x)
    return (inner * _inverse_rms(inner)).to(x.dtype).mul_(scale)


def rms_norm_of_few(x: Tensor, scale: Tensor) -> Tensor:
    """`rms_norm` without gradients, in half the time for a few rows, as in decoding.

    The result of a row is bit-identical whatever the number of rows.
    """
    if x.dtype != torch.float32:
        return rms_norm(x, scale)
    return (x * _inverse_rms_of_few(x)).mul_(scale)


class _NormRotate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, rotary: Tensor | None) -> tuple[Tensor, ...]:
        count = scale.shape[0]
        changed, saved = [], []
        wide = x.dtype if x.dtype == torch.float64 else torch.float32
        for part, part_scale in zip(x.unbind(2)[:count], scale, strict=True):
            # together in memory first: what follows passes over it several times
            normal = part.to(wide, copy=True, memory_format=torch.contiguous_format)
            inverse = _inverse_rms(normal)
            normal.mul_(inverse)
            changed.append(_rotate_(normal * part_scale, rotary).to(x.dtype))
            saved += [normal, inverse]
        ctx.save_for_backward(scale, *saved)
        ctx.rotary = rotary
        ctx.shape, ctx.dtype = x.shape, x.dtype
        return *changed, *x.unbind(2)[count:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:  # type: ignore[override]
        scale, *saved = ctx.saved_tensors
        back = None if ctx.rotary is None else _conjugated(ctx.rotary)
        grad_x = torch.empty(ctx.shape, dtype=ctx.dtype, device=scale.device)
        grad_scale = torch.empty_like(scale)
        for index, grad in enumerate(grads):
            if index >= scale.shape[0]:
                grad_x[:, :, index] = grad
                continue
            rotated = _at_least_float32(grad)
            if back is not None:
                rotated = torch.view_as_complex(rotated.contiguous().unflatten(-1, (-1, 2))) * back
                rotated = torch.view_as_real(rotated).flatten(-2)
            normal, inverse = saved[2 * index : 2 * index + 2]
            grad_scale[index] = _rms_backward(rotated, normal, scale[index], inverse, out=grad_x[:, :, index])
        return grad_x, grad_scale, None


def _conjugated(rotary: Tensor) -> Tensor:
    """The factors of the opposite rotation, computed once for all layers that share a tensor of factors."""
    found: Tensor | None = getattr(rotary, _OPPOSITE, None)
    if found is None:
        found = rotary.conj_physical()
        setattr(rotary, _OPPOSITE, found)
    return found


def _rotate_(x: Tensor, rotary: Tensor | None) -> Tensor:
    """Rotate adjacent pairs of the last axis of x [B, L, H, Dh] in place by `rotary` [B or 1, L, H or 1, Dh / 2]."""
    if rotary is not None:
        torch.view_as_complex(x.unflatten(-1, (-1, 2))).mul_(rotary)
    return x


def norm_rotate(x: Tensor, scale: Tensor, rotary: Tensor | None) -> tuple[Tensor, ...]:
    """Per-head RMSNorm and rotary embedding of the first groups of a fused projection (QK-norm, paper, section 3.2).

    Args:
        x: [B, L, N, H, Dh]; the groups along N are, say, query, key and value.
        scale: [n, Dh] with n <= N; groups 0..n-1 are normalised and rotated, each with a scale shared by all heads.
        rotary: complex64 [B or 1, L, H or 1, Dh / 2] factors of unit length, or None for no rotation.

    Returns:
        N tensors [B, L, H, Dh]; the unchanged groups are views of x.
    """
    if torch.is_grad_enabled():
        return _NormRotate.apply(x, scale, rotary)  # type: ignore[no-any-return, no-untyped-call]
    count = scale.shape[0]
    changed = norm_rotate_(_at_least_float32(x[:, :, :count]).clone(), scale, rotary).to(x.dtype)
    return *changed.unbind(2), *x.unbind(2)[count:]


def norm_rotate_(x: Tensor, scale: Tensor, rotary: Tensor | None) -> Tensor:
    """In-place `norm_rotate`; returns x; for decoding, without gradients.

    Args:
        x: [B, L, N, H, Dh], its last axis contiguous.
        scale: [n, Dh]; groups 0..n-1 of x are changed.
        rotary: see `norm_rotate`.
    """
    part = x[:, :, : scale.shape[0]]
    inner = _at_least_float32(part)
    inner.mul_(_inverse_rms_of_few(inner)).mul_(scale.unsqueeze(1))
    _rotate_(inner, None if rotary is None else rotary.unsqueeze(2))
    if inner is not part:
        part.copy_(inner)
    return x


class _SwiGLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        gate, value = x.chunk(2, dim=-1)
        active = functional.silu(gate)
        if x.device.type != "cpu":  # memory is short there, and the exponentials are cheap
            ctx.save_for_backward(x, None)
            return active.mul_(value)
        ctx.save_for_backward(x, active)
        return active * value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        x, active = ctx.saved_tensors
        gate, value = x.chunk(2, dim=-1)
        grad_x = torch.empty_like(x)
        grad_gate, grad_value = grad_x.chunk(2, dim=-1)
        torch.mul(grad, functional.silu(gate) if active is None else active, out=grad_value)
        torch.ops.aten.silu_backward.grad_input(grad * value, gate, grad_input=grad_gate)
        return grad_x


def swiglu(x: Tensor) -> Tensor:
    """Gated activation `silu(gate) * value` of [..., 2 M] split into gate and value; returns [..., M]."""
    if torch.is_grad_enabled():
        return _SwiGLU.apply(x)  # type: ignore[no-any-return, no-untyped-call]
    gate, value = x.chunk(2, dim=-1)
    return functional.silu(gate).mul_(value)


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        inner = _at_least_float32(logits)
        softmax = torch.softmax(inner, dim=-1)
        largest = inner.amax(dim=-1)
        # The largest probability is at least 1 / V, so its logarithm is accurate even if the target's is not.
        log_partition = largest - softmax.amax(dim=-1).log()
        chosen = inner.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
        correct = chosen >= largest
        ctx.save_for_backward(softmax, targets)
        ctx.dtype = logits.dtype
        ctx.mark_non_differentiable(correct)
        return log_partition - chosen, log_partition, correct

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_entropy: Tensor, grad_partition: Tensor, _: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        softmax, targets = ctx.saved_tensors
        grad = softmax * (grad_entropy + grad_partition).unsqueeze(-1)
        grad.scatter_add_(-1, targets.unsqueeze(-1), -grad_entropy.unsqueeze(-1))
        return grad.to(ctx.dtype), None


def cross_entropy(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cross-entropy and log-partition function of every position, both in nats, and whether it is correct.

    Args:
        logits: [N, V].
        targets: int64 [N], ids below V.

    Returns:
        Entropy [N] and log-partition [N], at least float32, and bool [N]: no logit is larger than the target's.
    """
    return _CrossEntropy.apply(logits, targets)  # type: ignore[no-any-return, no-untyped-call]

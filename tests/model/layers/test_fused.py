"""The hand-written operations equal plain ones, forward and backward."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from embodio.model.layers.fused import cross_entropy, norm_rotate, norm_rotate_, rms_norm, rms_norm_of_few, swiglu


def plain_norm(x: Tensor, scale: Tensor) -> Tensor:
    return scale * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)


def double(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()


def rotary(*shape: int) -> Tensor:
    angles = torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return torch.polar(torch.ones_like(angles), angles)


def test_rms_norm() -> None:
    x, scale = double(2, 3, 8), double(8)
    assert torch.allclose(rms_norm(x, scale), plain_norm(x, scale))
    assert torch.autograd.gradcheck(rms_norm, (x, scale))
    with torch.no_grad():
        assert torch.allclose(rms_norm(x, scale), plain_norm(x, scale))


def test_rms_norm_of_few() -> None:
    x, scale = double(5, 8).detach().float(), double(8).detach().float()
    found = rms_norm_of_few(x, scale)
    torch.testing.assert_close(found, plain_norm(x, scale))
    assert torch.equal(rms_norm_of_few(x[3:4], scale)[0], found[3])
    half = x.bfloat16()
    assert torch.equal(rms_norm_of_few(half, scale.bfloat16()), rms_norm(half, scale.bfloat16()))


@pytest.mark.parametrize("factors", [rotary(1, 5, 2, 2), rotary(3, 5, 1, 2), None])
@pytest.mark.parametrize(("groups", "changed"), [(3, 2), (2, 1), (1, 1)])
def test_norm_rotate(factors: Tensor | None, groups: int, changed: int) -> None:
    x, scale = double(3, 5, groups, 2, 4), double(changed, 4)

    def plain(x: Tensor, scale: Tensor) -> tuple[Tensor, ...]:
        normal = plain_norm(x[:, :, :changed], scale[:, None])
        if factors is not None:
            normal = torch.view_as_real(
                torch.view_as_complex(normal.unflatten(-1, (2, 2))) * factors.unsqueeze(2)
            ).flatten(-2)
        return torch.cat((normal, x[:, :, changed:]), dim=2).unbind(2)

    for found, expected in zip(norm_rotate(x, scale, factors), plain(x, scale), strict=True):
        assert torch.allclose(found, expected)
    assert torch.autograd.gradcheck(lambda x, scale: norm_rotate(x, scale, factors), (x, scale))
    with torch.no_grad():
        untouched = x.clone()
        for found, expected in zip(norm_rotate(x, scale, factors), plain(x, scale), strict=True):
            assert torch.allclose(found, expected)
        assert torch.equal(x, untouched)
        assert torch.allclose(norm_rotate_(x.clone(), scale, factors), torch.stack(plain(x, scale), dim=2))


def test_swiglu() -> None:
    x = double(4, 10)
    gate, value = x.chunk(2, dim=-1)
    assert torch.allclose(swiglu(x), functional.silu(gate) * value)
    assert torch.autograd.gradcheck(swiglu, (x,))
    with torch.no_grad():
        assert torch.allclose(swiglu(x), functional.silu(gate) * value)


def test_cross_entropy() -> None:
    logits, targets = double(6, 7), torch.tensor([0, 6, 3, 3, 1, 2])
    entropy, log_partition, correct = cross_entropy(logits, targets)
    assert torch.equal(correct, logits.argmax(dim=-1) == targets)
    assert torch.allclose(entropy, functional.cross_entropy(logits, targets, reduction="none"))
    assert torch.allclose(log_partition, torch.logsumexp(logits, dim=-1))
    assert torch.autograd.gradcheck(lambda logits: cross_entropy(logits, targets)[:2], (logits,))


def test_half_precision_keeps_its_type() -> None:
    x = torch.randn(2, 5, 3, 2, 4, dtype=torch.bfloat16, requires_grad=True)
    scale = torch.ones(2, 4, dtype=torch.bfloat16)
    rotated, _, rest = norm_rotate(x, scale, rotary(1, 5, 1, 2).to(torch.complex64))
    assert rotated.dtype == rest.dtype == torch.bfloat16
    rotated.sum().backward()
    assert x.grad is not None and x.grad.dtype == torch.bfloat16
    with torch.no_grad():
        again, _, _ = norm_rotate(x, scale, rotary(1, 5, 1, 2).to(torch.complex64))
    assert torch.equal(again, rotated)
    assert rms_norm(x, torch.ones(4, dtype=torch.bfloat16)).dtype == torch.bfloat16

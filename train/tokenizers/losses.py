"""Losses between originals and reconstructions of pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

_WIDTHS = (16, 32, 48, 64)
_SEED = 20221


class FrozenFeatures(nn.Module):
    """Features of a random convolutional network whose weights are fixed by a seed and never trained.

    It stands in for the pre-trained network of perceptual losses (LPIPS), as no weights are downloaded: even random
    filters of growing reach compare edges and textures rather than single pixels. The weights are not part of a
    checkpoint.
    """

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(_SEED)
        before = 3
        self._names: list[str] = []
        for index, width in enumerate(_WIDTHS):
            weight = torch.empty(width, before, 3, 3)
            nn.init.orthogonal_(weight, gain=2.0**0.5, generator=generator)
            self._names.append(f"weight_{index}")
            self.register_buffer(self._names[-1], weight, persistent=False)
            before = width

    def forward(self, pixels: Tensor) -> Sequence[Tensor]:
        """Features of pictures [B, 3, H, W] after each of four halvings, at unit length along the channels."""
        found, x = [], pixels
        for name in self._names:
            x = functional.leaky_relu(functional.conv2d(x, getattr(self, name), stride=2, padding=1), 0.2)
            found.append(functional.normalize(x, dim=1, eps=1e-3))
        return found


def perceptual_distance(features: FrozenFeatures, original: Tensor, reconstruction: Tensor) -> Tensor:
    """Mean squared difference between the features of two batches of pictures [B, 3, H, W]; a scalar.

    Sums over channels and means over places, layer by layer, as LPIPS (Zhang et al., arXiv 1801.03924).
    """
    with torch.no_grad():
        wanted = features(original)
    found = features(reconstruction)
    parts = [(one - other).square().sum(dim=1).mean() for one, other in zip(wanted, found, strict=True)]
    return torch.stack(parts).mean()


def adaptive_weight(reconstruction_loss: Tensor, adversarial_loss: Tensor, last: Tensor, largest: float) -> Tensor:
    """The weight that gives both losses gradients of equal length at the last layer (VQ-GAN, equation 7).

    Args:
        reconstruction_loss: scalar.
        adversarial_loss: scalar.
        last: weight of the last layer, which both depend on.
        largest: bound of the weight.
    """
    lengths = [
        torch.linalg.vector_norm(torch.autograd.grad(loss, last, retain_graph=True)[0])
        for loss in (reconstruction_loss, adversarial_loss)
    ]
    return (lengths[0] / (lengths[1] + 1e-4)).clamp(0.0, largest).detach()

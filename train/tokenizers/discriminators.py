"""The discriminator of pictures and spectrograms, which learns to tell originals from reconstructions.

Its loss is the hinge loss of VQ-GAN (Esser et al., arXiv 2012.09841); those of waveforms are in `sound_discriminators`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

SLOPE = 0.2


class PatchDiscriminator(nn.Module):
    """A score for each patch of a picture: convolutions that halve it three times (Isola et al., arXiv 1611.07004).

    Args:
        width: channels after the first convolution; doubled by the two others.
        channels: of the pictures.
    """

    def __init__(self, width: int, channels: int = 3) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, width, 4, stride=2, padding=1)
        self.second = nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)
        self.third = nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1)
        self.norms = nn.ModuleList(nn.GroupNorm(8, wide) for wide in (2 * width, 4 * width))
        self.last = nn.Conv2d(4 * width, 1, 3, padding=1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Scores [B, 1, H / 8, W / 8] of pictures [B, C, H, W] in [-1, 1]; higher is more like an original."""
        x = functional.leaky_relu(self.first(pixels), SLOPE)
        for convolution, norm in zip((self.second, self.third), self.norms, strict=True):
            x = functional.leaky_relu(norm(convolution(x)), SLOPE)
        scores: Tensor = self.last(x)
        return scores


def judged_without_learning(discriminator: nn.Module, fake: Tensor) -> Any:
    """The output of a discriminator whose weights get no gradient from it, while `fake` does."""
    frozen = {name: value.detach() for name, value in discriminator.named_parameters()}
    return functional_call(discriminator, frozen, (fake,))


def hinge_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Loss of a patch discriminator: scores of originals below 1 and of reconstructions above -1 cost."""
    return 0.5 * (functional.relu(1.0 - real).mean() + functional.relu(1.0 + fake).mean())


def zero_gradients(module: nn.Module) -> Tensor:
    """A scalar 0 through which all trainable weights of a module get zero gradients.

    Optimisers skip weights without gradients and count their steps less often than others, so that a resumed run
    would differ.
    """
    parts = [parameter.sum() for parameter in module.parameters() if parameter.requires_grad]
    return 0.0 * torch.stack(parts).sum()

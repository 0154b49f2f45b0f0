"""Discriminators of waveforms: periods and scales (HiFi-GAN, Kong et al., arXiv 2010.05646, section 2.3)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.1
Judgement = tuple[Tensor, list[Tensor]]
"""Scores of any shape, higher for what sounds like an original; and features of the layers before."""


class PeriodDiscriminator(nn.Module):
    """Judges every `period`-th sample together: the waveform is folded into columns.

    Args:
        period: samples of a column.
        width: channels after the first convolution; doubled by the second, and kept.
    """

    def __init__(self, period: int, width: int) -> None:
        super().__init__()
        self.period = period
        widths = (1, width, 2 * width, 4 * width, 4 * width)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, (5, 1), stride=(3, 1), padding=(2, 0)) for before, after in pairwise(widths)
        )
        self.last = nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0))

    def forward(self, waveforms: Tensor) -> Judgement:
        """Judges waveforms [B, L]."""
        spare = -waveforms.shape[1] % self.period
        x = functional.pad(waveforms, (0, spare)).unflatten(1, (-1, self.period)).unsqueeze(1)
        return _judged(x, self.convolutions, self.last)


class ScaleDiscriminator(nn.Module):
    """Judges a waveform that is averaged over neighbouring samples.

    Args:
        pooling: samples that are averaged.
        width: channels after the first convolution; doubled twice.
    """

    def __init__(self, pooling: int, width: int) -> None:
        super().__init__()
        self.pooling = pooling
        self.convolutions = nn.ModuleList(
            [
                nn.Conv1d(1, width, 15, padding=7),
                nn.Conv1d(width, 2 * width, 41, stride=4, padding=20, groups=4),
                nn.Conv1d(2 * width, 4 * width, 41, stride=4, padding=20, groups=8),
                nn.Conv1d(4 * width, 4 * width, 5, padding=2),
            ]
        )
        self.last = nn.Conv1d(4 * width, 1, 3, padding=1)

    def forward(self, waveforms: Tensor) -> Judgement:
        """Judges waveforms [B, L]."""
        x = waveforms.unsqueeze(1)
        if self.pooling > 1:
            x = functional.avg_pool1d(x, self.pooling)
        return _judged(x, self.convolutions, self.last)


class SoundDiscriminators(nn.Module):
    """Several period and scale discriminators side by side.

    Args:
        periods: of the period discriminators.
        poolings: of the scale discriminators.
        width: channels of their first layers, a multiple of 4.
    """

    def __init__(self, periods: Sequence[int], poolings: Sequence[int], width: int) -> None:
        super().__init__()
        self.members = nn.ModuleList(
            [PeriodDiscriminator(period, width) for period in periods]
            + [ScaleDiscriminator(pooling, width) for pooling in poolings]
        )

    def forward(self, waveforms: Tensor) -> list[Judgement]:
        """The judgement of each about waveforms [B, L]."""
        return [member(waveforms) for member in self.members]


def discrimination_loss(real: Sequence[Judgement], fake: Sequence[Judgement]) -> Tensor:
    """Least squares: scores of originals should be 1 and those of made sounds 0; a scalar."""
    parts = [(1.0 - one[0]).square().mean() + other[0].square().mean() for one, other in zip(real, fake, strict=True)]
    return torch.stack(parts).mean()


def fooling_loss(fake: Sequence[Judgement]) -> Tensor:
    """How far scores of made sounds are from 1; a scalar."""
    return torch.stack([(1.0 - scores).square().mean() for scores, _ in fake]).mean()


def matching_loss(real: Sequence[Judgement], fake: Sequence[Judgement]) -> Tensor:
    """Mean absolute difference between features of originals, which get no gradient, and of made sounds; a scalar."""
    parts = [
        (wanted.detach() - found).abs().mean()
        for one, other in zip(real, fake, strict=True)
        for wanted, found in zip(one[1], other[1], strict=True)
    ]
    return torch.stack(parts).mean()


def _judged(x: Tensor, convolutions: nn.ModuleList, last: nn.Module) -> Judgement:
    features = []
    for convolution in convolutions:
        x = functional.leaky_relu(convolution(x), SLOPE)
        features.append(x)
    scores: Tensor = last(x)
    return scores, features

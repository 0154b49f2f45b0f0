"""Figures of merit of reconstructions: PSNR and SSIM of pictures, log-spectral distance of sounds, use of codes."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from embodio.train.tokenizers.codebook import perplexity

_WINDOW, _SIGMA = 11, 1.5
_STABILISERS = (0.01**2, 0.03**2)
DECIBELS = 10.0 / math.log(10.0)
"""Decibels of power for 1 in a natural logarithm of power."""


def psnr(original: Tensor, found: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of each picture, float [B]; at most 100.

    Args:
        original: float [B, H, W, C] in [0, 1].
        found: the same; values outside are clipped.
    """
    errors = (original - found.clamp(0, 1)).square().flatten(1).mean(dim=1)
    return -10.0 * torch.log10(errors.clamp(min=1e-10))


def ssim(original: Tensor, found: Tensor) -> Tensor:
    """Structural similarity of each picture, float [B], the mean over colours and places.

    Wang et al. (2004) with a Gaussian window of 11 pixels and standard deviation 1.5, without padding.

    Args:
        original: float [B, H, W, C] in [0, 1], at least 11 pixels a side.
        found: the same; values outside are clipped.
    """
    one, other = (pictures.movedim(3, 1).flatten(0, 1).unsqueeze(1) for pictures in (original, found.clamp(0, 1)))
    places = torch.arange(_WINDOW, dtype=one.dtype, device=one.device) - _WINDOW // 2
    line = torch.exp(-(places**2) / (2 * _SIGMA**2))
    kernel = torch.outer(line, line)[None, None] / line.sum() ** 2

    def mean(values: Tensor) -> Tensor:
        return functional.conv2d(values, kernel)

    first, second = mean(one), mean(other)
    variances = mean(one * one) - first**2 + mean(other * other) - second**2
    covariance = mean(one * other) - first * second
    low, high = _STABILISERS
    similarity = (2 * first * second + low) * (2 * covariance + high)
    similarity /= (first**2 + second**2 + low) * (variances + high)
    return similarity.flatten(1).mean(dim=1).view(len(original), -1).mean(dim=1)


def log_spectral_distance(one: Tensor, other: Tensor) -> Tensor:
    """Root mean square difference over the mel bands in dB, averaged over time, float [B].

    Args:
        one: log-mel energies, natural logarithms of power, float [B, T, M].
        other: the same.
    """
    return (one - other).square().mean(dim=2).sqrt().mean(dim=1) * DECIBELS


def codebook_use(codes: Tensor, num_codes: int) -> tuple[float, float]:
    """The share of a codebook that occurs in codes [...], and their perplexity."""
    counts = torch.bincount(codes.flatten(), minlength=num_codes)
    return float((counts > 0).double().mean()), float(perplexity(counts))

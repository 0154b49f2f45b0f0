"""SSIM: structural similarity of a picture in local brightness, contrast and structure."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from embodio.datasets.metrics.parts.metric import MeanMetric, MetricError, higher
from embodio.datasets.metrics.parts.pictures import picture_pair
from embodio.model.tasks.base.image_family import ImageItem

_WINDOW, _SIGMA = 11, 1.5
_STABILISERS = (0.01**2, 0.03**2)


class Ssim(MeanMetric[ImageItem]):
    """The mean over pictures; an unreadable answer has 0."""

    figures = higher("ssim")
    reads = ("drawn",)

    def measure(self, found: ImageItem | None, truth: ImageItem) -> dict[str, float]:
        """The similarity of one picture; raises MetricError for one smaller than the window of 11 pixels."""
        pair = picture_pair(found, truth)
        if pair is not None and min(pair[0].shape[1:3]) < _WINDOW:
            raise MetricError(f"drawn: {tuple(pair[0].shape[1:3])} pixels, SSIM needs at least {_WINDOW} a side")
        return {"ssim": 0.0 if pair is None else float(ssim(*pair))}


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


METRIC = Ssim()

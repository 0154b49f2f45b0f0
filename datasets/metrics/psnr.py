"""PSNR: peak signal-to-noise ratio of a picture in decibels."""

from __future__ import annotations

import torch
from torch import Tensor

from embodio.datasets.metrics.parts.metric import MeanMetric, higher
from embodio.datasets.metrics.parts.pictures import picture_pair
from embodio.model.tasks.base.image_family import ImageItem

_MOST = 100.0


class Psnr(MeanMetric[ImageItem]):
    """The mean over pictures, each at most 100 dB; an unreadable answer has 0 dB."""

    figures = higher("psnr")
    reads = ("drawn",)
    unbounded = ("psnr",)

    def measure(self, found: ImageItem | None, truth: ImageItem) -> dict[str, float]:
        """Decibels of one picture."""
        pair = picture_pair(found, truth)
        return {"psnr": 0.0 if pair is None else float(psnr(*pair))}


def psnr(original: Tensor, found: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of each picture, float [B]; at most 100.

    Args:
        original: float [B, H, W, C] in [0, 1].
        found: the same; values outside are clipped.
    """
    errors = (original - found.clamp(0, 1)).square().flatten(1).mean(dim=1)
    return -10.0 * torch.log10(errors.clamp(min=10 ** (-_MOST / 10)))


METRIC = Psnr()

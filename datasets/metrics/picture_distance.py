"""Picture distance: FID and KID, how far drawn pictures are as a set from right ones, in features of a network."""

from __future__ import annotations

from typing import Any

import numpy as np

from embodio.datasets.metrics.parts.frechet import DistributionMetric
from embodio.datasets.metrics.parts.metric import given, lower
from embodio.model.tasks.base.image_family import ImageItem, to_pixels


class PictureDistance(DistributionMetric[ImageItem]):
    """Frechet and kernel distance with the network `embed`; with Inception's features FID and KID (times 1)."""

    figures = lower("frechet_distance", "kernel_distance")
    reads = ("drawn",)
    unbounded = ("frechet_distance", "kernel_distance")

    def measure(self, found: ImageItem | None, truth: ImageItem) -> list[Any]:
        """The features of both pictures; an unreadable answer is black."""
        right = to_pixels(given(truth, "drawn"))
        return self.measured(np.zeros_like(right) if found is None else to_pixels(given(found, "drawn")), right)


METRIC = PictureDistance()

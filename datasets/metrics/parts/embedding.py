"""Metrics that compare what a network of the user's sees in pictures or hears in sounds."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from embodio.datasets.metrics.parts.metric import A, Metric, MetricError

Embed = Callable[[Any], npt.ArrayLike]
"""A picture uint8 [H, W, 3], or a sound float32 [T] at 16 kHz -> features float [D] or, of several windows, [N, D]."""


class EmbeddingMetric(Metric[A]):
    """A metric of features; it measures once it has been given the network, with `using`."""

    resampled = False
    _embed: Embed | None = None

    def using(self, embed: Embed) -> Self:
        """The same metric with a network."""
        own = copy.copy(self)
        own._embed = embed
        return own

    def features(self, medium: Any) -> npt.NDArray[np.float32]:
        """The features of one medium, float32 [N, D].

        Raises:
            MetricError: the metric has no network, or what it returns is not a row of finite numbers, or several.
        """
        if self._embed is None:
            raise MetricError(
                f"{type(self).__name__} needs a network: embed=module:function, which turns a picture or a sound into "
                "features"
            )
        found = np.atleast_2d(np.asarray(self._embed(medium), dtype=np.float32))
        if found.ndim != 2 or not found.size or not np.isfinite(found).all():
            raise MetricError(f"embed: expected finite features [D] or [N, D], found the shape {found.shape}")
        return found


def packed(features: npt.NDArray[np.float32]) -> list[Any]:
    """Features [N, D] as text and width, much shorter in JSON than numbers are."""
    return [base64.b64encode(features.astype("<f4").tobytes()).decode("ascii"), features.shape[1]]


def unpacked(value: list[Any]) -> npt.NDArray[np.float64]:
    """Features float64 [N, D] of what `packed` gave."""
    return np.frombuffer(base64.b64decode(value[0]), "<f4").reshape(-1, value[1]).astype(np.float64)

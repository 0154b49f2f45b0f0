"""EpisodeCache: the episodes that were opened last, as many as fit into a budget of bytes."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np

from embodio.datasets.rlds.features import STEPS, EpisodeFeatures, ImageFeature, TensorFeature
from embodio.datasets.source import EpisodeSource, EpisodeView

DEFAULT_BYTES = 512 << 20
_UNKNOWN_SIZE = 256  # pixels on a side of images whose size the features do not say
_COMPRESSION = {"jpeg": 4, "png": 2}  # how much smaller than their pixels images are at least, as a rule
_TEXT_BYTES = 128
_SEQUENCE_BYTES = 8 << 10  # a tenth of a second of sound at 16 kHz, and room


def step_bytes(features: EpisodeFeatures) -> int:
    """An estimate, on the high side, of the bytes that one step takes while its images are compressed."""
    total = 0
    for feature in features.steps.values():
        if isinstance(feature, ImageFeature):
            pixels = (feature.height or _UNKNOWN_SIZE) * (feature.width or _UNKNOWN_SIZE) * feature.channels
            total += pixels // _COMPRESSION[feature.encoding]
        elif isinstance(feature, TensorFeature):
            total += 2 * int(np.prod(feature.shape)) * feature.numpy_dtype.itemsize  # as stored, and as an array
        else:
            total += _TEXT_BYTES
    return total + _SEQUENCE_BYTES * sum(path.startswith(f"{STEPS}/") for path in features.sequences)


class EpisodeCache:
    """Opens episodes and keeps the latest ones. A copy in another process starts empty.

    Args:
        source: where they come from.
        budget: bytes that they may take together, by the estimate of `step_bytes`; the last one always stays.
    """

    def __init__(self, source: EpisodeSource, budget: int = DEFAULT_BYTES) -> None:
        self._source = source
        self._budget = budget
        self._per_step = max(1, step_bytes(source.features))
        self._open: OrderedDict[int, EpisodeView] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        """Episodes that are open now."""
        return len(self._open)

    def __getstate__(self) -> dict[str, Any]:
        """Leaves the episodes behind."""
        return self.__dict__ | {"_open": OrderedDict(), "_bytes": 0}

    def episode(self, index: int) -> EpisodeView:
        """Episode `index`; raises what the source raises."""
        found = self._open.get(index)
        if found is not None:
            self._open.move_to_end(index)
            return found
        opened = self._source.episode(index)
        self._open[index] = opened
        self._bytes += len(opened) * self._per_step
        while self._bytes > self._budget and len(self._open) > 1:
            _, oldest = self._open.popitem(last=False)
            self._bytes -= len(oldest) * self._per_step
        return opened

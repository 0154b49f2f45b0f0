"""EpisodeCache: the most recently opened episodes, as many as fit into a budget of bytes."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np

from embodio.datasets.episodes.features import STEPS, DepthFeature, EpisodeFeatures, ImageFeature, TensorFeature
from embodio.datasets.episodes.source import EpisodeSource, EpisodeView

DEFAULT_BYTES = 512 << 20
_UNKNOWN_SIZE = 256  # pixels on a side of images whose size the features do not give
_COMPRESSION = {"jpeg": 4, "png": 2}  # usual minimum compression of images
_TEXT_BYTES = 128
_SEQUENCE_BYTES = 8 << 10  # a tenth of a second of sound at 16 kHz, and slack
_EPISODE_BYTES = 8 << 10  # of the objects that make up an episode


def step_bytes(features: EpisodeFeatures, *, in_pieces: bool = False) -> int:
    """An estimate, on the high side, of the bytes that one step takes while its images are compressed.

    Args:
        features: of the episode.
        in_pieces: whether images and texts stay in the file.
    """
    total = 0
    for feature in features.steps.values():
        if isinstance(feature, TensorFeature | DepthFeature):
            total += 2 * _array_bytes(feature)  # as an array, and as stored or joined with others
        elif in_pieces:
            continue
        elif isinstance(feature, ImageFeature):
            pixels = (feature.height or _UNKNOWN_SIZE) * (feature.width or _UNKNOWN_SIZE) * feature.channels
            total += pixels // _COMPRESSION[feature.encoding]
        else:
            total += _TEXT_BYTES
    return total + _SEQUENCE_BYTES * sum(path.startswith(f"{STEPS}/") for path in features.sequences)


def _array_bytes(feature: TensorFeature | DepthFeature) -> int:
    if isinstance(feature, DepthFeature):
        return feature.height * feature.width * np.dtype(np.float32).itemsize
    return int(np.prod(feature.shape)) * feature.numpy_dtype.itemsize


class EpisodeCache:
    """Opens episodes and keeps the most recent ones. A copy in another process starts empty.

    Args:
        source: where they come from.
        budget: bytes that they may take together, by the estimate of `step_bytes`; the last one always stays.
    """

    def __init__(self, source: EpisodeSource, budget: int = DEFAULT_BYTES) -> None:
        self._source = source
        self._budget = budget
        self._per_step = {kind: step_bytes(source.features, in_pieces=kind) for kind in (False, True)}
        self._open: OrderedDict[int, tuple[EpisodeView, int]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        """Episodes that are open now."""
        return len(self._open)

    def __getstate__(self) -> dict[str, Any]:
        """Pickles without the episodes."""
        return self.__dict__ | {"_open": OrderedDict(), "_bytes": 0}

    def episode(self, index: int) -> EpisodeView:
        """Episode `index`; raises what the source raises."""
        found = self._open.get(index)
        if found is not None:
            self._open.move_to_end(index)
            return found[0]
        opened = self._source.episode(index)
        size = _EPISODE_BYTES + len(opened) * self._per_step[getattr(opened, "in_pieces", False)]
        self._open[index] = opened, size
        self._bytes += size
        while self._bytes > self._budget and len(self._open) > 1:
            _, (_, size) = self._open.popitem(last=False)
            self._bytes -= size
        return opened

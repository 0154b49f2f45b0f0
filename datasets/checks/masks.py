"""The check that images are upright, made where a data set has object masks: their edges have to coincide."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.checks.finding import Finding
from embodio.datasets.checks.turns import orientations
from embodio.datasets.episodes.features import ImageFeature, TensorFeature
from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.errors import CorruptRecordError, FeatureError

CHECK = "images and masks"
_PREFIX = "observation/segm_"
_MARGIN = 0.02  # of the variance: by how much another orientation has to fit better than the image as it is


def masked_cameras(source: EpisodeSource) -> tuple[str, ...]:
    """Cameras with a field `segm_NAME` of object ids, [H, W]."""
    steps = source.features.steps
    names = [path.removeprefix(_PREFIX) for path in steps if path.startswith(_PREFIX)]
    return tuple(
        name
        for name in names
        if isinstance(steps.get(f"observation/{name}"), ImageFeature)
        and isinstance(steps[_PREFIX + name], TensorFeature)
    )


def check_masks(source: EpisodeSource, episodes: Sequence[int]) -> Finding:
    """Compares the first frame of episodes, in several orientations, with the masks of the same moment.

    Args:
        source: with at least one of `masked_cameras`.
        episodes: their numbers.
    """
    wrong: list[str] = []
    for camera in masked_cameras(source):
        fits: dict[str, float] = defaultdict(float)
        for number in episodes:
            try:
                episode = source.episode(number)
                if not len(episode):
                    continue
                mask, frame = episode.array(_PREFIX + camera)[0], episode.frame(camera, 0)
            except (CorruptRecordError, FeatureError):  # damaged; `verify` counts these
                continue
            for way, image in orientations(frame).items():
                fits[way] += explained(image, mask) / len(episodes)
        best = max(fits, key=lambda way: fits[way], default="upright")
        if fits[best] > fits["upright"] + _MARGIN:
            wrong.append(f"{camera} {best}")
    if wrong:
        return Finding(CHECK, "warning", ", ".join(wrong), "turn the images, or the masks, when converting")
    return Finding(CHECK, "ok", f"edges coincide in {', '.join(masked_cameras(source))}")


def explained(image: npt.NDArray[np.uint8], mask: npt.NDArray[Any]) -> float:
    """The share of an image's variance [H, W, C] that lies between the areas of a mask [H, W]; 0 where sizes differ."""
    if image.shape[:2] != mask.shape:
        return 0.0
    pixels = image.reshape(-1, image.shape[2]).astype(np.float64)
    _, areas = np.unique(mask.reshape(-1), return_inverse=True)
    counts = np.bincount(areas)
    means = np.stack([np.bincount(areas, weights=channel) / counts for channel in pixels.T], axis=1)
    total = float(pixels.var(axis=0).sum())
    between = float((counts[:, None] * (means - pixels.mean(axis=0)) ** 2).sum() / len(pixels))
    return between / total if total else 0.0

"""LeRobot's statistics of every field, for each episode and for all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.episodes.statistics import FieldAccumulator

SHARES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
LARGEST = 4096  # numbers of a step; larger fields (depth, segmentation) get no statistics
_FRAMES = 100  # at most this many images of an episode, evenly spaced


class FrameStatistics:
    """Brightness of some frames of an episode, channel by channel, in histograms."""

    def __init__(self, length: int, channels: int) -> None:
        self._wanted = frozenset(np.linspace(0, length - 1, min(length, _FRAMES)).round().astype(int).tolist())
        self._counts = np.zeros((channels, 256), np.int64)

    def watch(self, frames: Iterable[npt.NDArray[np.uint8]]) -> Iterator[npt.NDArray[np.uint8]]:
        """Passes frames on and counts the selected ones."""
        for step, frame in enumerate(frames):
            if step in self._wanted:
                for channel, counts in enumerate(self._counts):
                    counts += np.bincount(frame[..., channel].ravel(), minlength=256)
            yield frame

    def finish(self) -> dict[str, Any]:
        """The statistics in the range 0 to 1, each [channels, 1, 1]."""
        levels = np.arange(256) / 255
        share = self._counts / self._counts.sum(axis=1, keepdims=True)
        mean = share @ levels
        seen, below = self._counts > 0, np.cumsum(share, axis=1)
        found = {
            "min": levels[seen.argmax(axis=1)],
            "max": levels[255 - seen[:, ::-1].argmax(axis=1)],
            "mean": mean,
            "std": np.sqrt(np.maximum(share @ levels**2 - mean**2, 0)),
        }
        found |= {name: levels[(below >= part - 1e-9).argmax(axis=1)] for name, part in SHARES.items()}
        return {name: value.reshape(-1, 1, 1).tolist() for name, value in found.items()} | {
            "count": [len(self._wanted)]
        }


class NumberStatistics:
    """A numeric field, episode by episode; values that are not finite are left out."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape or (1,)
        self._numbers = FieldAccumulator()
        self._count = 0

    def update(self, values: npt.NDArray[Any]) -> None:
        """Adds the steps of an episode, [T, *shape]."""
        rows = values.reshape(len(values), -1).astype(np.float32)
        rows = rows[np.isfinite(rows).all(axis=1)]
        self._numbers.update(rows)
        self._count += len(rows)

    def finish(self) -> dict[str, Any] | None:
        """The statistics, each of the field's shape; None where no value was finite."""
        if not self._count:
            return None
        size = int(np.prod(self._shape))
        found = self._numbers.finish(tuple(str(number) for number in range(size)))
        rows = {name: np.array(getattr(found, name)) for name in ("min", "max", "mean", "std")}
        rows |= dict(zip(SHARES, self._numbers.quantiles(tuple(SHARES.values())), strict=True))
        return {name: row.reshape(self._shape).tolist() for name, row in rows.items()} | {"count": [self._count]}


def merge_frames(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Statistics of the images of all episodes; quantiles are means of the episodes' quantiles, as in LeRobot."""
    found = list(rows)
    weights = np.array([row["count"][0] for row in found], np.float64)
    share = weights / weights.sum()

    def mean(name: str, power: int = 1) -> npt.NDArray[np.float64]:
        return np.tensordot(share, np.array([row[name] for row in found], np.float64) ** power, axes=1)

    average = mean("mean")
    spread = mean("std", 2) + mean("mean", 2) - average**2
    merged = {
        "min": np.min([row["min"] for row in found], axis=0),
        "max": np.max([row["max"] for row in found], axis=0),
        "mean": average,
        "std": np.sqrt(np.maximum(spread, 0)),
    }
    merged |= {name: mean(name) for name in SHARES}
    return {name: value.tolist() for name, value in merged.items()} | {"count": [int(weights.sum())]}

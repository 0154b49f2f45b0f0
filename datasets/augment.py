"""Augmentation of camera images: the same random change for every frame of an example."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import DatasetError


@dataclasses.dataclass(frozen=True)
class AugmentConfig:
    """How much images may change; zeros switch a change off.

    Attributes:
        shift: largest displacement in pixels, per axis and camera; uncovered pixels repeat the border.
        brightness: b, pixels are scaled by a factor in [1 - b, 1 + b].
        contrast: c, distances from the mean grey are scaled by a factor in [1 - c, 1 + c].
        colour: c, each channel is scaled by its own factor in [1 - c, 1 + c].
    """

    shift: int = 0
    brightness: float = 0.0
    contrast: float = 0.0
    colour: float = 0.0

    def __post_init__(self) -> None:
        if self.shift < 0:
            raise DatasetError(f"augment.shift: got {self.shift}, expected 0 or more pixels")
        for name in ("brightness", "contrast", "colour"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise DatasetError(f"augment.{name}: got {getattr(self, name)}, expected 0 or more and less than 1")


class Augmentation:
    """One draw of the changes, applied to any number of frames of one example.

    Args:
        config: how much may change.
        generator: source of the draw.
        cameras: names; each camera moves on its own, light changes for all of them alike.
    """

    def __init__(self, config: AugmentConfig, generator: np.random.Generator, cameras: tuple[str, ...]) -> None:
        self._shifts = {
            name: tuple(int(x) for x in generator.integers(-config.shift, config.shift, 2, endpoint=True))
            for name in cameras
        }
        gain = 1.0 + config.brightness * generator.uniform(-1, 1)
        self._gain = gain * (1.0 + config.colour * generator.uniform(-1, 1, 3))
        self._contrast = 1.0 + config.contrast * generator.uniform(-1, 1)
        self._light = bool(config.brightness or config.contrast or config.colour)

    def __call__(self, camera: str, frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Changes one frame, uint8 [H, W, 3] -> uint8 [H, W, 3]."""
        down, right = self._shifts[camera]
        if down or right:
            rows = np.clip(np.arange(frame.shape[0]) - down, 0, frame.shape[0] - 1)
            columns = np.clip(np.arange(frame.shape[1]) - right, 0, frame.shape[1] - 1)
            frame = frame[rows][:, columns]
        if not self._light:
            return frame
        # y = (x * gain - mean) * contrast + mean, looked up per channel for the 256 possible values of x.
        mean = float(frame[::4, ::4].mean())
        levels = np.arange(256, dtype=np.float32)[:, None] * self._gain.astype(np.float32)
        table = np.clip((levels - mean) * self._contrast + mean + 0.5, 0, 255).astype(np.uint8)
        return np.stack([table[:, c][frame[..., c]] for c in range(3)], axis=-1)

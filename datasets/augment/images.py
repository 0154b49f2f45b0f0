"""Changes to camera images: crop, blur, noise, cutout, hue and saturation, drawn once for all frames of an example."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from embodio.datasets.augment.config import AugmentConfig
from embodio.model.processing.image import Frame, crop, rectangle

_GREY = 128
# RGB -> luma and two chroma axes, in which hue is an angle and saturation a length.
_TO_CHROMA = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


class PictureChange:
    """One draw of the changes, for any number of frames.

    Args:
        config: how much may change.
        stream: gives a random generator for each kind of change, so that one kind does not alter the draw of another.
    """

    def __init__(self, config: AugmentConfig, stream: Callable[[str], np.random.Generator]) -> None:
        def happens(generator: np.random.Generator) -> bool:
            return bool(generator.random() < config.probability)

        self._config = config
        draw = stream("crop")
        self._area = 1.0 - config.crop * draw.random()
        self._ratio = config.crop_ratio * draw.uniform(-1, 1)
        self._place = tuple(draw.random(2))
        draw = stream("blur")
        self._sigma = config.blur * happens(draw) * draw.random()
        draw = stream("noise")
        self._noise = config.noise * happens(draw) * draw.random()
        self._noise_state = draw.bit_generator.state
        self._pattern: npt.NDArray[np.float32] | None = None
        draw = stream("cutout")
        self._cutout = math.sqrt(config.cutout * happens(draw) * draw.random())
        self._cutout_place = tuple(draw.random(2))
        draw = stream("colours")
        changed = happens(draw) and config.colours
        self._colours = _colour_matrix(config, draw) if changed else None

    def __call__(self, frame: Frame) -> Frame:
        """Changes one frame, uint8 [H, W, 3] -> uint8 [H, W, 3]; the input is not written to."""
        if self._config.crop:
            frame = crop(frame, self._area, self._ratio, self._place)
        frame = self.recoloured(frame)
        if self._sigma:
            frame = np.asarray(cv2.GaussianBlur(frame, (0, 0), self._sigma), dtype=np.uint8)
        if self._noise:
            noisy = frame + self._pattern_for(frame.shape) * np.float32(self._noise)
            frame = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        if self._cutout:
            top, left, height, width = rectangle(frame, self._cutout, self._cutout, self._cutout_place)
            frame = frame.copy()
            frame[top : top + height, left : left + width] = _GREY
        return frame

    def recoloured(self, frame: Frame) -> Frame:
        """Changes hue and saturation only, uint8 [H, W, 3] -> uint8 [H, W, 3]."""
        return frame if self._colours is None else np.asarray(cv2.transform(frame, self._colours), dtype=np.uint8)

    def _pattern_for(self, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        if self._pattern is None or self._pattern.shape != shape:
            generator = np.random.Generator(np.random.Philox())
            generator.bit_generator.state = self._noise_state
            self._pattern = generator.standard_normal(shape, dtype=np.float32)
        return self._pattern


def _colour_matrix(config: AugmentConfig, generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """[3, 3], turns and scales the colours of an RGB pixel; greys stay."""
    angle = math.radians(config.hue * generator.uniform(-1, 1))
    scale = max(0.0, 1.0 + config.saturation * generator.uniform(-1, 1))
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    turn = np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])
    return np.asarray(np.linalg.inv(_TO_CHROMA) @ turn @ _TO_CHROMA, dtype=np.float32)

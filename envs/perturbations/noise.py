"""noise: every pixel of every image is disturbed."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from embodio.envs.perturbing.perturbation import Perturbation

_DEVIATION = (4.0, 8.0, 16.0, 24.0, 32.0)


class ImageNoise(Perturbation):
    """Gaussian noise with a standard deviation of 4, 8, 16, 24 or 32 of 255."""

    def image(self, image: NDArray[np.uint8], camera: str, number: int) -> NDArray[np.uint8]:
        """Adds the noise, which is another one in each image."""
        random = np.random.default_rng([self.episode.seed, zlib.crc32(camera.encode()), number])
        noisy = image + self.pick(_DEVIATION) * random.standard_normal(image.shape, np.float32)
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


PERTURBATION = ImageNoise

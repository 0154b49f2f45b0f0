"""blur: every image is out of focus."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from embodio.envs.perturbing.perturbation import Perturbation

_DEVIATION = (0.5, 0.8, 1.2, 1.8, 2.5)  # pixels of an image 128 high
_HEIGHT = 128


class ImageBlur(Perturbation):
    """A Gaussian blur with a standard deviation of 0.5, 0.8, 1.2, 1.8 or 2.5 pixels of 128."""

    def image(self, image: NDArray[np.uint8], camera: str, number: int) -> NDArray[np.uint8]:
        """Blurs the image."""
        deviation = self.pick(_DEVIATION) * image.shape[0] / _HEIGHT
        return np.asarray(cv2.GaussianBlur(image, (0, 0), deviation), np.uint8)


PERTURBATION = ImageBlur

"""An image to draw -> the pixels that the image tokeniser takes, and which of its codes show the image."""

import numpy as np
import numpy.typing as npt

from embodio.model.processing.image_geometry import ImageFit
from embodio.model.processing.image_resize import resize

Floats = npt.NDArray[np.float32]


def image_to_target(
    image: npt.NDArray[np.generic], canvas: tuple[int, int], patch: int
) -> tuple[Floats, npt.NDArray[np.int32]]:
    """Fits an image onto the canvas of the tokeniser and scales it to [-1, 1] (paper, section 3.1).

    Args:
        image: uint8 [H, W, 3], or float [H, W, 3] in [0, 1].
        canvas: (height, width) in pixels that the tokeniser takes.
        patch: side in pixels of the square that one code stands for.

    Returns:
        float32 [height, width, 3] in [-1, 1], -1 in the padding; and int32 [N], row by row, 1 for the codes whose
        middle pixel shows the image.
    """
    pixels = image.astype(np.float32)
    if image.dtype == np.uint8:
        pixels /= np.float32(255)
    fit = ImageFit.of((image.shape[0], image.shape[1]), canvas)
    padded = np.zeros((*canvas, pixels.shape[2]), dtype=np.float32)
    scaled = pixels if fit.content == fit.image else np.clip(resize(pixels, fit.content), 0, 1)
    padded[fit.top : fit.top + fit.content[0], fit.left : fit.left + fit.content[1]] = scaled
    return padded * 2 - 1, fit.patch_mask(patch)

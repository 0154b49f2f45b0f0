"""Pixels -> normalised patches: fitted to the canvas, padded with black, normalised and cut."""

import numpy as np
import numpy.typing as npt

from embodio.model.processing.image_geometry import ImageFit
from embodio.model.processing.image_resize import resize

Floats = npt.NDArray[np.float32]

CHANNELS = 3
# Mean and standard deviation of the three colours in the training set of the image encoder (OpenCLIP).
PIXEL_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], dtype=np.float32)
PIXEL_STD = np.array([0.26862954, 0.26130258, 0.27577711], dtype=np.float32)


def image_to_patches(image: npt.NDArray[np.generic], canvas: tuple[int, int], patch: int) -> Floats:
    """Fits an image onto the canvas, normalises it and cuts it into patches (section 3.1 of the paper).

    Args:
        image: uint8 [H, W, 3], or float [H, W, 3] in [0, 1].
        canvas: (height, width) of the canvas in pixels, multiples of `patch`.
        patch: side of a patch in pixels.

    Returns:
        float32 [N, patch * patch * 3]: patches in row-major order, inside a patch (row, column, channel). Padding is
        black before normalisation.
    """
    unit = 255 if image.dtype == np.uint8 else 1
    fit = ImageFit.of((image.shape[0], image.shape[1]), canvas)
    pixels = image.astype(np.float32)
    if fit.image != fit.content:
        pixels = resize(pixels, fit.content)
    if fit.content != canvas:
        padded = np.zeros((*canvas, CHANNELS), dtype=np.float32)
        padded[fit.top : fit.top + fit.content[0], fit.left : fit.left + fit.content[1]] = pixels
        pixels = padded
    (height, width), gain = canvas, np.tile(1 / (unit * PIXEL_STD), patch).astype(np.float32)
    grid = pixels.reshape(height // patch, patch, width // patch, patch * CHANNELS).transpose(0, 2, 1, 3)
    out = np.empty(grid.shape, dtype=np.float32)  # in order, where a plain product would lie as the grid does
    np.multiply(grid, gain, out=out)
    out += np.tile(-PIXEL_MEAN / PIXEL_STD, patch).astype(np.float32)
    return out.reshape(-1, patch * patch * CHANNELS)

"""Pixels -> normalised patches: scaling, padding, normalising and cutting in two passes of small matrix products.

All four steps are linear in the pixels, so for each image size they are folded once into two banded matrices and a
constant; an image then costs a few small products. Images that already have the size of the canvas skip the products.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from embodio.model.image_geometry import ImageFit
from embodio.model.image_resize import band, resize_matrix

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
    pixels = image.astype(np.float32)
    if pixels.shape[:2] == canvas:
        return _cut(pixels, patch, unit)
    return _PatchPlan.of((image.shape[0], image.shape[1]), canvas, patch, unit).apply(pixels)


def _cut(pixels: Floats, patch: int, unit: int) -> Floats:
    """Normalises and cuts pixels that already have the size of the canvas."""
    height, width, _ = pixels.shape
    gain, shift = np.tile(1 / (unit * PIXEL_STD), patch), np.tile(-PIXEL_MEAN / PIXEL_STD, patch)
    grid = pixels.reshape(height // patch, patch, width // patch, patch * CHANNELS).transpose(0, 2, 1, 3)
    out = grid * gain.astype(np.float32)
    out += shift.astype(np.float32)
    return out.reshape(-1, patch * patch * CHANNELS)


class _PatchPlan:
    """The folded matrices for one image size, canvas and patch size."""

    def __init__(self, image: tuple[int, int], canvas: tuple[int, int], patch: int, unit: int) -> None:
        fit = ImageFit.of(image, canvas)
        self._canvas, self._patch = canvas, patch
        rows = np.zeros((canvas[0], image[0]), dtype=np.float32)
        rows[fit.top : fit.top + fit.content[0]] = resize_matrix(image[0], fit.content[0])
        columns = np.zeros((canvas[1], image[1]), dtype=np.float32)
        columns[fit.left : fit.left + fit.content[1]] = resize_matrix(image[1], fit.content[1])
        self._rows = [(slice(*band(block)), _banded(block)) for block in _blocks(rows, patch)]
        colours = np.diag(1 / (unit * PIXEL_STD))
        self._columns = []
        for block in _blocks(columns, patch):
            first, end = band(block)
            weights = np.kron(block[:, first:end].T, colours).astype(np.float32)  # [window * 3, patch * 3]
            self._columns.append((slice(first * CHANNELS, end * CHANNELS), weights))
        self._shift = np.tile(-PIXEL_MEAN / PIXEL_STD, patch).astype(np.float32)

    @staticmethod
    @lru_cache(maxsize=64)
    def of(image: tuple[int, int], canvas: tuple[int, int], patch: int, unit: int) -> "_PatchPlan":
        """Returns the plan for these sizes, made once."""
        return _PatchPlan(image, canvas, patch, unit)

    def apply(self, pixels: Floats) -> Floats:
        """Turns float32 pixels [H, W, 3] into patches [N, patch * patch * 3]."""
        (height, width), patch = self._canvas, self._patch
        flat = pixels.reshape(pixels.shape[0], -1)
        scaled = np.empty((height // patch, patch, flat.shape[1]), dtype=np.float32)
        for out, (window, weights) in zip(scaled, self._rows, strict=True):
            np.matmul(weights, flat[window], out=out)
        scaled = scaled.reshape(height, -1)
        columns = np.empty((width // patch, height, patch * CHANNELS), dtype=np.float32)
        for out, (window, weights) in zip(columns, self._columns, strict=True):
            np.matmul(scaled[:, window], weights, out=out)
        columns += self._shift
        grid = columns.reshape(width // patch, height // patch, patch, patch * CHANNELS)
        return grid.transpose(1, 0, 2, 3).reshape(-1, patch * patch * CHANNELS)


def _blocks(matrix: Floats, size: int) -> list[Floats]:
    return np.split(matrix, len(matrix) // size)


def _banded(block: Floats) -> Floats:
    first, end = band(block)
    return np.ascontiguousarray(block[:, first:end])

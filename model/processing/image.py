"""Images as the network takes them: cropped, cut into normalised patches, or as the pixels of a target."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from embodio.model.processing.image_geometry import ImageFit, resize

Floats = npt.NDArray[np.float32]
Frame = npt.NDArray[np.uint8]


def crop(frame: Frame, area: float, ratio: float = 0.0, place: tuple[float, ...] = (0.5, 0.5)) -> Frame:
    """Cuts a rectangle out of a frame and resizes it to the frame's size.

    Args:
        frame: uint8 [H, W, C].
        area: share of the frame that is left, in (0, 1].
        ratio: logarithm of width over height, relative to the frame; less where the rectangle would not fit.
        place: where it is, down and right, from 0 (top, left) to 1 (bottom, right); the middle by default.
    """
    limit = -math.log(area)
    ratio = min(max(ratio, -limit), limit)
    down, right = math.sqrt(area * math.exp(-ratio)), math.sqrt(area * math.exp(ratio))
    top, left, height, width = rectangle(frame, down, right, place)
    if (height, width) == frame.shape[:2]:
        return frame
    part = np.ascontiguousarray(frame[top : top + height, left : left + width])
    resized = cv2.resize(part, (frame.shape[1], frame.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.uint8).reshape(frame.shape)  # OpenCV drops a single channel


def rectangle(frame: Frame, down: float, right: float, place: tuple[float, ...]) -> tuple[int, int, int, int]:
    """Top, left, height and width of a rectangle in a frame.

    Args:
        frame: [H, W, C].
        down: share of the frame's height.
        right: share of its width.
        place: see `crop`.
    """
    height = min(max(round(frame.shape[0] * down), 1), frame.shape[0])
    width = min(max(round(frame.shape[1] * right), 1), frame.shape[1])
    top, left = round((frame.shape[0] - height) * place[0]), round((frame.shape[1] - width) * place[1])
    return top, left, height, width


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

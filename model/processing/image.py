"""Image preprocessing: fits images to a canvas and back, resizes and crops them, and forms patches and targets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from embodio.model.errors import ModelError

Floats = npt.NDArray[np.float32]
Interpolation = Literal["nearest", "bilinear"]
"""Interpolation method of resizing."""


@lru_cache(maxsize=256)
def resize_matrix(old: int, new: int) -> csr_array:
    """Returns the weights of `old` samples in each of `new` samples, float32 [new, old]; every row sums to 1.

    The kernel is a triangle over half-pixel centres, widened by old / new when shrinking and normalised at borders.
    The matrix is shared by all callers.
    """
    step = np.float32(1.0) / (np.float32(new) / np.float32(old))
    width = max(step, np.float32(1.0))
    centres = (np.arange(new, dtype=np.float32) + np.float32(0.5)) * step
    samples = np.arange(old, dtype=np.float32) + np.float32(0.5)
    weights = np.maximum(1 - np.abs(samples[None, :] - centres[:, None]) / width, 0)
    return csr_array((weights / weights.sum(axis=1, keepdims=True)).astype(np.float32))


def resize(image: Floats, size: tuple[int, int]) -> Floats:
    """Resizes a picture.

    Args:
        image: float32 [H, W, C].
        size: new (height, width) in pixels.

    Returns:
        float32 [height, width, C], the same bits whatever the number of threads.
    """
    height, width, channels = image.shape
    rows: Floats = resize_matrix(height, size[0]) @ image.reshape(height, width * channels)
    # Transposed as a plain table, which NumPy copies twice as fast as columns of pixels.
    across = np.ascontiguousarray(rows.T).reshape(width, channels * size[0])
    resized: Floats = resize_matrix(width, size[1]) @ across
    return resized.reshape(size[1] * channels, size[0]).T.reshape(*size, channels)


def resize_nearest(image: Floats, size: tuple[int, int]) -> Floats:
    """Resizes a picture [H, W, C] to (height, width) by nearest neighbour at pixel centres."""
    rows, columns = (_nearest(old, new) for old, new in zip(image.shape[:2], size, strict=True))
    return image[rows[:, None], columns]


def _nearest(old: int, new: int) -> npt.NDArray[np.int64]:
    """The sample out of `old` that the centre of each of `new` samples lies on, int64 [new]; float32 as TensorFlow."""
    centres = (np.arange(new, dtype=np.float32) + np.float32(0.5)) * (np.float32(old) / np.float32(new))
    return np.minimum(np.floor(centres).astype(np.int64), old - 1)


_RESIZE = {"nearest": resize_nearest, "bilinear": resize}


class GeometryError(ModelError, ValueError):
    """An image, canvas or set of boxes whose size or shape does not fit."""


@dataclass(frozen=True)
class ImageFit:
    """The placement of an image on a canvas: scaled to fit with its aspect ratio, centred, padded with zeros.

    Sizes are (height, width) in pixels. Boxes are float [N, 4] as (y1, x1, y2, x2) in pixels.

    Attributes:
        image: size of the original image.
        canvas: size of the canvas.
        content: size of the scaled copy: the scaled sides, truncated.
        top: rows of padding above the copy.
        left: columns of padding to the left of it.
        scale: pixels of the canvas for one pixel of the image, a float32 number.
    """

    image: tuple[int, int]
    canvas: tuple[int, int]
    content: tuple[int, int]
    top: int
    left: int
    scale: float

    @classmethod
    def of(cls, image: tuple[int, int], canvas: tuple[int, int]) -> ImageFit:
        """Fits an image of one size onto a canvas of another; the result for recent sizes is remembered.

        Raises:
            GeometryError: a side is below 1, or so thin that no pixel would be left.
        """
        return _fit(image, canvas)

    @property
    def info(self) -> Floats:
        """The geometry as the reference records it, float32 [11].

        top padding, left padding, 1 / scale, image height, image width, four crop offsets (always 0 here), content
        height, content width.
        """
        numbers = (self.top, self.left, 1.0 / self.scale, *self.image, 0, 0, 0, 0, *self.content)
        return np.array(numbers, dtype=np.float32)

    def patch_mask(self, patch: int) -> npt.NDArray[np.int32]:
        """Returns 1 for the patches whose centre pixel (8, 8 of 16) shows the image and 0 for padding.

        Args:
            patch: side of a patch in pixels; it divides both sides of the canvas.

        Returns:
            int32 [N], patches in row-major order.
        """
        rows, columns = (np.arange(side // patch) * patch + patch // 2 for side in self.canvas)
        inside_rows = (rows >= self.top) & (rows < self.top + self.content[0])
        inside_columns = (columns >= self.left) & (columns < self.left + self.content[1])
        return np.outer(inside_rows, inside_columns).reshape(-1).astype(np.int32)

    def boxes_to_canvas(self, boxes: npt.ArrayLike) -> Floats:
        """Moves boxes from the image onto the canvas; float32 [N, 4] in pixels of the canvas, clipped to the canvas.

        The copy may be up to a pixel smaller than the scaled sides, which are not truncated here, and what lies outside
        the image keeps its place in the padding: both are the rule that the released weights were trained with.

        Raises:
            GeometryError: the boxes are not [N, 4].
        """
        moved = _boxes(boxes) * np.float32(self.scale) + self._offset
        return np.clip(moved, 0, _twice(*self.canvas))

    def boxes_from_canvas(self, boxes: npt.ArrayLike) -> Floats:
        """Moves boxes from the canvas back onto the image; float32 [N, 4] in pixels of the image, clipped to it.

        Raises:
            GeometryError: the boxes are not [N, 4].
        """
        moved = (_boxes(boxes) - self._offset) * np.float32(1.0 / self.scale)
        return np.clip(moved, 0, _twice(*self.image))

    def image_from_canvas(
        self, canvas: npt.NDArray[np.floating[Any]], interpolation: Interpolation = "nearest"
    ) -> Floats:
        """Scales a picture on the canvas back to the size of the image and cuts off the padding.

        Args:
            canvas: float [H, W, C]. Its sides may be any multiple of those of the canvas, say of a generated image.
            interpolation: "nearest" takes the value of the nearest pixel, as the references do with drawn labels;
                "bilinear" mixes neighbours, antialiased where it shrinks, which is smoother.

        Returns:
            float32 [image height, image width, C].

        Raises:
            GeometryError: the picture is not [H, W, C], or the interpolation is not known.
        """
        if interpolation not in _RESIZE:
            raise GeometryError(f"interpolation {interpolation!r} is not known; choose 'nearest' or 'bilinear'")
        if canvas.ndim != 3:
            raise GeometryError(f"expected a picture [height, width, channels], found the shape {canvas.shape}")
        (height, width), scale = self.image, self.scale
        full = tuple(max(round(side / scale), low) for side, low in zip(self.canvas, self.image, strict=True))
        grown = _RESIZE[interpolation](canvas.astype(np.float32), (full[0], full[1]))
        top, left = (full[0] - height) // 2, (full[1] - width) // 2
        return grown[top : top + height, left : left + width]

    @property
    def _offset(self) -> Floats:
        return _twice(self.top, self.left)


def boxes_with_area(boxes: npt.ArrayLike) -> npt.NDArray[np.intp]:
    """Returns the indices of the boxes (y1, x1, y2, x2) [N, 4] that still have an area, int [M]."""
    array = _boxes(boxes)
    return np.flatnonzero((array[:, 2] > array[:, 0]) & (array[:, 3] > array[:, 1]))


@lru_cache(maxsize=256)
def _fit(image: tuple[int, int], canvas: tuple[int, int]) -> ImageFit:
    if min(*image, *canvas) < 1:
        raise GeometryError(f"cannot fit an image of {image} pixels onto a canvas of {canvas}; every side must be >= 1")
    height, width = np.float32(image[0]), np.float32(image[1])
    scale = min(np.float32(canvas[0]) / height, np.float32(canvas[1]) / width)
    content = int(height * scale), int(width * scale)
    if min(content) < 1:
        raise GeometryError(f"an image of {image} pixels is too thin for a canvas of {canvas}; crop it first")
    top, left = (canvas[0] - content[0]) // 2, (canvas[1] - content[1]) // 2
    return ImageFit(image, canvas, content, top, left, float(scale))


def _twice(height: float, width: float) -> Floats:
    return np.array([height, width, height, width], dtype=np.float32)


def _boxes(boxes: npt.ArrayLike) -> Floats:
    array = np.asarray(boxes, dtype=np.float32)
    if array.ndim != 2 or array.shape[1] != 4:
        raise GeometryError(f"boxes are [N, 4] as (y1, x1, y2, x2), found the shape {array.shape}")
    return array


Frame = npt.NDArray[np.uint8]


def moved(frame: Frame, down: int, right: int) -> Frame:
    """Moves a frame [H, W, 3] by rows and columns; uncovered pixels repeat the border."""
    if not (down or right):
        return frame
    rows = np.clip(np.arange(frame.shape[0]) - down, 0, frame.shape[0] - 1)
    columns = np.clip(np.arange(frame.shape[1]) - right, 0, frame.shape[1] - 1)
    return frame[rows][:, columns]


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


def pixels_on_canvas(image: npt.NDArray[np.uint8], canvas: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """An image uint8 [H, W, 3] as it is fitted onto a canvas (height, width), with black padding; of the same kind."""
    fit = ImageFit.of((image.shape[0], image.shape[1]), canvas)
    scaled = resize(image.astype(np.float32), fit.content)
    out = np.zeros((*canvas, CHANNELS), dtype=np.uint8)
    out[fit.top : fit.top + fit.content[0], fit.left : fit.left + fit.content[1]] = np.rint(scaled).clip(0, 255)
    return out


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

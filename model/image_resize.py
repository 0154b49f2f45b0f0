"""Bilinear resizing with antialiasing as one small banded matrix per axis (the kernel of `tf.image.resize`)."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@lru_cache(maxsize=256)
def resize_matrix(old: int, new: int) -> Floats:
    """Returns the weights of `old` samples in each of `new` samples, float32 [new, old]; every row sums to 1.

    The kernel is a triangle over half-pixel centres, widened by old / new when shrinking and normalised at borders.
    """
    step = np.float32(1.0) / (np.float32(new) / np.float32(old))
    width = max(step, np.float32(1.0))
    centres = (np.arange(new, dtype=np.float32) + np.float32(0.5)) * step
    samples = np.arange(old, dtype=np.float32) + np.float32(0.5)
    weights = np.maximum(1 - np.abs(samples[None, :] - centres[:, None]) / width, 0)
    matrix: Floats = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    matrix.setflags(write=False)  # it is shared by all callers
    return matrix


def resize(image: Floats, size: tuple[int, int]) -> Floats:
    """Resizes a picture.

    Args:
        image: float32 [H, W, C].
        size: new (height, width) in pixels.

    Returns:
        float32 [height, width, C].
    """
    height, width, channels = image.shape
    rows = resize_matrix(height, size[0]) @ image.reshape(height, width * channels)
    columns = resize_matrix(width, size[1])
    resized: Floats = np.matmul(columns, rows.reshape(size[0], width, channels))
    return resized


def band(matrix: Floats) -> tuple[int, int]:
    """Returns the range [first, last + 1) of the columns of a matrix that are not all zero, (0, 0) if all are."""
    used = np.flatnonzero(matrix.any(axis=0))
    return (int(used[0]), int(used[-1]) + 1) if used.size else (0, 0)

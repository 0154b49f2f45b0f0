"""The kernels of `tf.image.resize`: nearest, and bilinear with antialiasing as one sparse matrix per axis.

Dense products would round differently with another number of threads; sparse ones add in one order everywhere.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

Floats = npt.NDArray[np.float32]


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
    # Turned as a plain table, which NumPy copies twice as fast as columns of pixels.
    across = np.ascontiguousarray(rows.T).reshape(width, channels * size[0])
    resized: Floats = resize_matrix(width, size[1]) @ across
    return resized.reshape(size[1] * channels, size[0]).T.reshape(*size, channels)


def resize_nearest(image: Floats, size: tuple[int, int]) -> Floats:
    """Resizes a picture [H, W, C] to (height, width): each pixel is the one of the picture that its centre lies on."""
    rows, columns = (_nearest(old, new) for old, new in zip(image.shape[:2], size, strict=True))
    return image[rows[:, None], columns]


def _nearest(old: int, new: int) -> npt.NDArray[np.int64]:
    """The sample out of `old` that the centre of each of `new` samples lies on, int64 [new]; float32 as TensorFlow."""
    centres = (np.arange(new, dtype=np.float32) + np.float32(0.5)) * (np.float32(old) / np.float32(new))
    return np.minimum(np.floor(centres).astype(np.int64), old - 1)

"""Several frames on one sheet, for the one image that a model draws."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import DatasetError


def mosaic(frames: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """Lays frames out in rows, left to right, on a sheet as square as it can be; places that stay empty are black.

    Args:
        frames: N >= 1 images uint8 [H, W, 3] of one size.

    Returns:
        uint8 [rows * H, columns * W, 3] with columns = ceil(sqrt(N)).

    Raises:
        DatasetError: there is no frame, or their sizes differ.
    """
    if not frames:
        raise DatasetError("mosaic: no frames given")
    if len({frame.shape for frame in frames}) > 1:
        raise DatasetError(f"mosaic: frames of one size are needed, got {sorted({f.shape for f in frames})}")
    columns = math.ceil(math.sqrt(len(frames)))
    rows = math.ceil(len(frames) / columns)
    height, width, channels = frames[0].shape
    sheet = np.zeros((rows * height, columns * width, channels), dtype=np.uint8)
    for place, frame in enumerate(frames):
        top, left = place // columns * height, place % columns * width
        sheet[top : top + height, left : left + width] = frame
    return sheet

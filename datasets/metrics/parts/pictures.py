"""Pictures of an answer and its annotation as tensors of one size."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from embodio.datasets.metrics.parts.metric import given, same_shape
from embodio.model.example import Image
from embodio.model.tasks.base.image_family import ImageItem, on_image


def picture_pair(found: ImageItem | None, truth: ImageItem) -> tuple[Tensor, Tensor] | None:
    """The right picture and the one drawn, float64 [1, H, W, 3] in [0, 1]; None for an unreadable answer.

    A picture that is drawn of words alone has the network's size, and is fitted to that of the right one.

    Raises:
        MetricError: there is no picture, or the sizes differ.
    """
    right = given(truth, "drawn")
    if found is None:
        return None
    own = given(found, "drawn")
    if truth.media.image is None and own.shape != right.shape:
        own = on_image(_unit(own).astype(np.float32), right, "bilinear")
    same_shape(own, right, "drawn")
    return _in_unit(right), _in_unit(own)


def _in_unit(image: Image) -> Tensor:
    return torch.from_numpy(_unit(image))[None]


def _unit(image: Image) -> npt.NDArray[np.float64]:
    scale = 255.0 if image.dtype == np.uint8 else 1.0
    return np.asarray(image, dtype=np.float64) / scale

"""Pictures of an answer and its annotation as tensors of one size."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from embodio.datasets.metrics.parts.metric import given, same_shape
from embodio.model.example import Image
from embodio.model.tasks.base.image_family import ImageItem


def picture_pair(found: ImageItem | None, truth: ImageItem) -> tuple[Tensor, Tensor] | None:
    """The right picture and the one drawn, float64 [1, H, W, 3] in [0, 1]; None for an unreadable answer.

    Raises:
        MetricError: there is no picture, or the sizes differ.
    """
    right = given(truth, "drawn")
    if found is None:
        return None
    own = given(found, "drawn")
    same_shape(own, right, "drawn")
    return _in_unit(right), _in_unit(own)


def _in_unit(image: Image) -> Tensor:
    scale = 255.0 if image.dtype == np.uint8 else 1.0
    return torch.from_numpy(np.asarray(image, dtype=np.float64) / scale)[None]

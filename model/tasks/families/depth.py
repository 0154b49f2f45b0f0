"""Depth: the relative distance of every pixel, drawn in grey."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embodio.model.example import Image
from embodio.model.processing.image import Interpolation
from embodio.model.tasks.base.family import Annotation, Family, Output, with_answer
from embodio.model.tasks.base.image_family import Pixels, on_image, to_pixels
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.locations.places import PixelNumbers


@dataclass(frozen=True, eq=False, kw_only=True)
class DepthItem(Annotation):
    """An image and the depth of its pixels.

    Attributes:
        depth: float32 [H, W] in [0, 1], 0 drawn black and 1 white; None in a request.
        drawn: in an answer, the generated image uint8 [H, W, 3].
        interpolation: interpolation when resizing the generated image to the input image.
    """

    depth: PixelNumbers | None = None
    drawn: Pixels | None = None
    interpolation: Interpolation = "nearest"


class Depth(Family[DepthItem]):
    """Depth estimation (paper, appendix B.1): image in, a grey image out."""

    name = "depth"
    annotation = DepthItem
    needs = ("image",)
    answer = ("depth", "drawn")
    modality = "image"
    metrics = ("depth_errors",)

    def target(self, annotation: DepthItem, codec: TaskCodec) -> Image | None:
        """The depth as grey."""
        if annotation.depth is None:
            return None
        return np.repeat(np.clip(annotation.depth, 0, 1)[..., None], 3, axis=2).astype(np.float32)

    def read(self, written: Output, asked: DepthItem, codec: TaskCodec) -> DepthItem:
        """The mean of the three colours."""
        drawn = on_image(written, asked.media.image, asked.interpolation)
        return with_answer(asked, depth=drawn.mean(axis=2), drawn=to_pixels(drawn))


FAMILY = Depth()

"""Optical flow: where each pixel of an image moves in the next one, drawn as colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embodio.model.example import Image
from embodio.model.processing.image import Interpolation
from embodio.model.tasks.base.family import Annotation, Family, Output, with_answer
from embodio.model.tasks.base.image_family import Floats, Pixels, on_image, to_pixels
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.locations.places import PixelNumbers

LARGEST_MOVE = 0.25
"""The largest movement that is drawn, as a share of the longer side; larger ones are drawn as this. A choice of this
package, as the paper does not say how it draws flow."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FlowItem(Annotation):
    """Two frames, the earlier one in the history, and the movement from it to the main image.

    Attributes:
        flow: float32 [H, W, 2] as (down, right) in pixels of the main image, of its size; None in a request.
        drawn: in an answer, the generated image uint8 [H, W, 3].
        interpolation: interpolation when resizing the generated image to the main image.
    """

    flow: PixelNumbers | None = None
    drawn: Pixels | None = None
    interpolation: Interpolation = "nearest"


class OpticalFlow(Family[FlowItem]):
    """Optical flow (paper, appendix D.6): two frames in, an image of movements as colours out.

    Red is the movement to the right and green that down, from 0 for the largest in the opposite direction to 1; blue is
    always a half, so grey stays where it is.
    """

    name = "flow"
    annotation = FlowItem
    needs = ("image",)
    answer = ("flow", "drawn")
    modality = "image"
    metrics = ("flow_error",)

    def target(self, annotation: FlowItem, codec: TaskCodec) -> Image | None:
        """The movements as colours."""
        if annotation.flow is None:
            return None
        shares = annotation.flow[..., ::-1] / (2 * _largest(annotation.flow)) + 0.5
        still = np.full((*shares.shape[:2], 1), 0.5)
        return np.concatenate([np.clip(shares, 0, 1), still], axis=2).astype(np.float32)

    def read(self, written: Output, asked: FlowItem, codec: TaskCodec) -> FlowItem:
        """The movements of the colours."""
        drawn = on_image(written, asked.media.image, asked.interpolation)
        flow = (drawn[..., 1::-1] - 0.5) * 2 * _largest(drawn)
        return with_answer(asked, flow=flow.astype(np.float32), drawn=to_pixels(drawn))


def _largest(image: Floats) -> float:
    """The largest movement that is drawn, in pixels of an image [H, W, ...]."""
    return LARGEST_MOVE * max(image.shape[:2])


FAMILY = OpticalFlow()

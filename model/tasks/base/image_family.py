"""Base class of families answered with an image, in colour or as labels of every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from embodio.model.example import Image
from embodio.model.processing.image import ImageFit, Interpolation
from embodio.model.tasks.base.family import Annotation, Family, Output, with_answer
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError, TaskError

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageItem(Annotation):
    """Media and an image.

    Attributes:
        drawn: the image, uint8 [H, W, 3] or float [H, W, 3] in [0, 1]; None in a request.
    """

    drawn: Image | None = None


I = TypeVar("I", bound=ImageItem)  # noqa: E741


class ImageFamily(Family[I]):
    """A family whose answer is an image, of the size of the input image if there is one, or of the network's size."""

    modality = "image"
    answer = ("drawn",)

    def target(self, annotation: I, codec: TaskCodec) -> Image | None:
        """The image."""
        return annotation.drawn

    def read(self, written: Output, asked: I, codec: TaskCodec) -> I | AnswerError:
        """The image, uint8 [H, W, 3]."""
        return with_answer(asked, drawn=to_pixels(on_image(written, asked.media.image, "bilinear")))


def on_image(written: Output, image: Image | None, interpolation: Interpolation) -> Floats:
    """Resizes the generated canvas to the input image; float32 [H, W, 3] in [0, 1].

    Args:
        written: float32 [h, w, 3], the generated canvas.
        image: the input image; None keeps the canvas size.
        interpolation: see `ImageFit.image_from_canvas`.
    """
    drawn = np.asarray(written, dtype=np.float32)
    if image is None:
        return np.clip(drawn, 0, 1)
    size = int(image.shape[0]), int(image.shape[1])
    fit = ImageFit.of(size, (int(drawn.shape[0]), int(drawn.shape[1])))
    return np.clip(fit.image_from_canvas(drawn, interpolation), 0, 1)


def to_pixels(image: Image) -> Pixels:
    """Converts an image, uint8 or float in [0, 1], to a new uint8 [H, W, 3]."""
    if image.dtype == np.uint8:
        return image.astype(np.uint8)
    pixels: Pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return pixels


def region(box: npt.ArrayLike, image: Image) -> tuple[slice, slice]:
    """The rows and columns that a box (y1, x1, y2, x2) in pixels covers; raises TaskError if it covers no pixel."""
    low, high = np.floor(np.asarray(box)[:2]).astype(int), np.ceil(np.asarray(box)[2:]).astype(int)
    low, high = np.maximum(low, 0), np.minimum(high, image.shape[:2])
    if not (low < high).all():
        raise TaskError(f"box: {box!r} covers nothing of an image of {image.shape[:2]} pixels; give one that does")
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))

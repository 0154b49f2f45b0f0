"""Surface normals: the direction of the surface at every pixel, drawn as a colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embodio.model.example import Image
from embodio.model.processing.image import Interpolation
from embodio.model.tasks.base.family import Annotation, Family, Output, with_answer
from embodio.model.tasks.base.image_family import Floats, Pixels, on_image, to_pixels
from embodio.model.tasks.base.task_codec import TaskCodec


@dataclass(frozen=True, eq=False, kw_only=True)
class NormalsItem(Annotation):
    """An image and the surface normals of its pixels.

    Attributes:
        normals: float32 [H, W, 3], (x, y, z) of length 1; None in a request.
        drawn: in an answer, the generated image uint8 [H, W, 3].
        interpolation: interpolation when resizing the generated image to the input image.
    """

    normals: Floats | None = None
    drawn: Pixels | None = None
    interpolation: Interpolation = "nearest"


class SurfaceNormals(Family[NormalsItem]):
    """Surface normal estimation (paper, appendix B.1): image in, image of directions as colours out."""

    name = "normals"
    annotation = NormalsItem
    answer = ("normals", "drawn")
    modality = "image"
    metrics = ("normal_angles", "grit_normals")

    def target(self, annotation: NormalsItem, codec: TaskCodec) -> Image | None:
        """Red, green and blue from 0 to 1 encode x, y and z from -1 to 1."""
        return None if annotation.normals is None else ((annotation.normals + 1) / 2).astype(np.float32)

    def read(self, written: Output, asked: NormalsItem, codec: TaskCodec) -> NormalsItem:
        """The directions of the colours; grey, which has no direction, becomes z."""
        drawn = on_image(written, asked.media.image, asked.interpolation)
        return with_answer(asked, normals=to_normals(drawn), drawn=to_pixels(drawn))


def to_normals(image: Floats) -> Floats:
    """Unit directions (x, y, z) of colours float32 [H, W, 3] in [0, 1]; grey, which has no direction, becomes z."""
    vectors = image * 2 - 1
    length = np.linalg.norm(vectors, axis=2, keepdims=True)
    plain = np.array([0, 0, 1], dtype=np.float32)
    return np.where(length > 1e-6, vectors / np.maximum(length, 1e-6), plain).astype(np.float32)


FAMILY = SurfaceNormals()

"""Surface normals: the direction of the surface at every pixel, drawn as a colour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from embodio.model.example import Image
from embodio.model.processing.image import Interpolation
from embodio.model.tasks.base.family import Annotation, Family, Output, with_answer
from embodio.model.tasks.base.image_family import Floats, Pixels, on_image, to_pixels
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import TaskError
from embodio.model.tasks.locations.places import PixelNumbers
from embodio.model.tasks.prompts.filling import Filling, groups_of

AXES = "xyz"
"""The usual meaning of red, green and blue."""

UNUSED = "-"
"""The mark of a colour that means nothing."""


@dataclass(frozen=True, eq=False, kw_only=True)
class NormalsItem(Annotation):
    """An image and the surface normals of its pixels.

    Attributes:
        normals: float32 [H, W, 3], (x, y, z) of length 1; None in a request.
        colours: the axes that red, green and blue mean, such as "zxy", or "x--" where green and blue are always a half.
        drawn: in an answer, the generated image uint8 [H, W, 3].
        interpolation: interpolation when resizing the generated image to the input image.
    """

    normals: PixelNumbers | None = None
    colours: str = AXES
    drawn: Pixels | None = None
    interpolation: Interpolation = "nearest"


class SurfaceNormals(Family[NormalsItem]):
    """Surface normal estimation (paper, appendices B.1 and D.11): image in, image of directions as colours out."""

    name = "normals"
    annotation = NormalsItem
    needs = ("image",)
    groups = groups_of(plain={}, encoded={"red": "the z component", "green": "the x component", "blue": "nothing"})
    answer = ("normals", "drawn")
    modality = "image"
    metrics = ("normal_angles", "grit_normals")

    def group(self, annotation: NormalsItem) -> str:
        """`plain` for red, green and blue as x, y and z, otherwise `encoded`."""
        return "plain" if annotation.colours == AXES else "encoded"

    def slots(self, annotation: NormalsItem, codec: TaskCodec) -> Mapping[str, Filling]:
        """What the colours mean, unless it is the usual.

        Raises:
            TaskError: the colours are not three axes or `UNUSED`, or an axis is there twice.
        """
        if annotation.colours == AXES:
            return {}
        axes = annotation.colours.replace(UNUSED, "")
        if len(annotation.colours) != 3 or not axes or len(set(axes)) < len(axes) or set(axes) - set(AXES):
            raise TaskError(f"colours: got {annotation.colours!r}, expected such as 'zxy' or 'x--', each axis once")
        words = ["nothing" if one == UNUSED else f"the {one} component" for one in annotation.colours]
        return dict(zip(("red", "green", "blue"), words, strict=True))

    def target(self, annotation: NormalsItem, codec: TaskCodec) -> Image | None:
        """Colours from 0 to 1 encode components from -1 to 1."""
        if annotation.normals is None:
            return None
        image = np.full(annotation.normals.shape, 0.5, dtype=np.float32)
        for channel, axis in enumerate(annotation.colours):
            if axis != UNUSED:
                image[..., channel] = (annotation.normals[..., AXES.index(axis)] + 1) / 2
        return image

    def read(self, written: Output, asked: NormalsItem, codec: TaskCodec) -> NormalsItem:
        """The directions of the colours; grey, which has no direction, becomes z, and an axis without a colour is 0."""
        drawn = on_image(written, asked.media.image, asked.interpolation)
        usual = np.full_like(drawn, 0.5)
        for channel, axis in enumerate(asked.colours):
            if axis != UNUSED:
                usual[..., AXES.index(axis)] = drawn[..., channel]
        return with_answer(asked, normals=to_normals(usual), drawn=to_pixels(drawn))


def to_normals(image: Floats) -> Floats:
    """Unit directions (x, y, z) of colours float32 [H, W, 3] in [0, 1]; grey, which has no direction, becomes z."""
    vectors = image * 2 - 1
    length = np.linalg.norm(vectors, axis=2, keepdims=True)
    plain = np.array([0, 0, 1], dtype=np.float32)
    return np.where(length > 1e-6, vectors / np.maximum(length, 1e-6), plain).astype(np.float32)


FAMILY = SurfaceNormals()

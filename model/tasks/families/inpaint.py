"""Inpainting: a region of an image filled with an object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from embodio.model.tasks.base.family import InputMedia, Output, with_answer
from embodio.model.tasks.base.image_family import ImageFamily, ImageItem, on_image, region, to_pixels
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.locations.places import Box
from embodio.model.tasks.prompts.filling import BOX, Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Inpainted(ImageItem):
    """An image, a region of it, and the object in the region.

    Attributes:
        box: the region, float [4] as (y1, x1, y2, x2) in pixels of the image.
        name: name of the object in the region.
    """

    box: Box
    name: str


class Inpaint(ImageFamily[Inpainted]):
    """Inpainting (paper, appendix D.2): image without a region, box and name in, whole image out."""

    name = "inpaint"
    annotation = Inpainted
    needs = ("image",)
    groups = groups_of(plain={"box": BOX, "name": "cup"})
    metrics = ("psnr", "ssim")

    def slots(self, annotation: Inpainted, codec: TaskCodec) -> Mapping[str, Filling]:
        """The region and the name."""
        return {"box": codec.box_ids(annotation.box, annotation.media.image), "name": annotation.name}

    def shown(self, annotation: Inpainted) -> InputMedia:
        """The image with the region blacked out."""
        image = annotation.media.image
        if image is None:
            return annotation.media
        hidden = image.copy()
        hidden[region(annotation.box, image)] = 0
        return replace(annotation.media, image=hidden)

    def read(self, written: Output, asked: Inpainted, codec: TaskCodec) -> Inpainted | AnswerError:
        """The input image with the region replaced by the generated one."""
        image = asked.media.image
        if image is None:
            return super().read(written, asked, codec)
        whole, place = to_pixels(image), region(asked.box, image)
        whole[place] = to_pixels(on_image(written, image, "bilinear"))[place]
        return with_answer(asked, drawn=whole)


FAMILY = Inpaint()

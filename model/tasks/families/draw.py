"""Image generation: an image from a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from embodio.model.tasks.base.image_family import ImageFamily, ImageItem
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.prompts.filling import Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Drawn(ImageItem):
    """A text and an image of it.

    Attributes:
        text: what the image shows.
    """

    text: str


class Draw(ImageFamily[Drawn]):
    """Image generation (paper, appendix D.2): text in, image out."""

    name = "draw"
    annotation = Drawn
    groups = groups_of(plain={"text": "a red cup on a table"})
    metrics = ("psnr", "ssim")

    def slots(self, annotation: Drawn, codec: TaskCodec) -> Mapping[str, Filling]:
        """The text."""
        return {"text": annotation.text}


FAMILY = Draw()

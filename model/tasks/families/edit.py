"""Image editing: an image changed as instructed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from embodio.model.tasks.base.image_family import ImageFamily, ImageItem
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.prompts.filling import Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Edited(ImageItem):
    """An image, an instruction, and the changed image.

    Attributes:
        instruction: the change as text.
    """

    instruction: str


class Edit(ImageFamily[Edited]):
    """Image editing (paper, appendix D.2): image and instruction in, image out."""

    name = "edit"
    annotation = Edited
    needs = ("image",)
    groups = groups_of(plain={"instruction": "make the cup blue"})
    metrics = ("psnr", "ssim")

    def slots(self, annotation: Edited, codec: TaskCodec) -> Mapping[str, Filling]:
        """The change."""
        return {"instruction": annotation.instruction}


FAMILY = Edit()

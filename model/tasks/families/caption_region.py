"""Region captions: a few words about what is in a box of an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.base.text_family import TextFamily, TextItem
from embodio.model.tasks.locations.places import Box
from embodio.model.tasks.prompts.filling import BOX, Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Region(TextItem):
    """A region of an image and a text about it.

    Attributes:
        box: the region, float [4] as (y1, x1, y2, x2) in pixels of the image.
    """

    box: Box


class CaptionRegion(TextFamily[Region]):
    """Region captioning (paper, appendix D.4): image and box in, a short text out.

    With the style `text`, it is what is written in the box.
    """

    name = "caption_region"
    annotation = Region
    needs = ("image",)
    groups = groups_of(plain={"box": BOX})
    tokens = 48
    metrics = ("cider_d", "rouge_l")

    def slots(self, annotation: Region, codec: TaskCodec) -> Mapping[str, Filling]:
        """The region."""
        return {"box": codec.box_ids(annotation.box, annotation.media.image)}


FAMILY = CaptionRegion()

"""Controllable image generation: an image from a text and a map, such as edges or depth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from embodio.model.tasks.base.image_family import ImageFamily, ImageItem
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.prompts.filling import Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Controlled(ImageItem):
    """A text, a map as the main image, and the image that fits both.

    Attributes:
        text: what the image shows.
        kind: what the map is, such as "edges", "depth", "segmentation" or "surface normals".
    """

    text: str
    kind: str


class DrawFrom(ImageFamily[Controlled]):
    """Controllable generation (paper, appendix D.2): map and text in, image out.

    One family for all maps, such as edges, lines, depth, normals, poses, segmentation or sketches: `kind` says which.
    """

    name = "draw_from"
    annotation = Controlled
    needs = ("image",)
    groups = groups_of(plain={"text": "a red cup on a table", "kind": "depth"})
    metrics = ("psnr", "ssim")

    def slots(self, annotation: Controlled, codec: TaskCodec) -> Mapping[str, Filling]:
        """The text and the kind of map."""
        return {"text": annotation.text, "kind": annotation.kind}


FAMILY = DrawFrom()

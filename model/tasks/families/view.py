"""View synthesis: an image from another camera pose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from embodio.model.tasks.base.image_family import ImageFamily, ImageItem
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.locations.spatial import CameraPose, write_pose
from embodio.model.tasks.prompts.filling import Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Viewed(ImageItem):
    """An image, a movement of the camera, and the image from the new pose.

    Attributes:
        pose: the movement.
    """

    pose: CameraPose


class SynthesiseView(ImageFamily[Viewed]):
    """View synthesis (paper, appendix D.2): image and camera pose in, image out."""

    name = "view"
    annotation = Viewed
    needs = ("image",)
    groups = groups_of(plain={"pose": "[theta sin cos r]"})
    metrics = ("psnr", "ssim")

    def slots(self, annotation: Viewed, codec: TaskCodec) -> Mapping[str, Filling]:
        """The movement as four value tokens."""
        return {"pose": write_pose(codec.locations, annotation.pose).tolist()}


FAMILY = SynthesiseView()

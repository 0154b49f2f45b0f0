"""Optical flow: the motion of every pixel from one image to the next, drawn as a colour."""

from __future__ import annotations

from embodio.model.tasks.base.image_family import ImageFamily, ImageItem


class Flow(ImageFamily[ImageItem]):
    """Optical flow (paper, Table 11): an image and the one before it, in the history, in; a coloured image out.

    The picture is that of the annotation: whoever makes the data chooses which colour means which motion.
    """

    name = "flow"
    annotation = ImageItem
    metrics = ("psnr", "ssim")


FAMILY = Flow()

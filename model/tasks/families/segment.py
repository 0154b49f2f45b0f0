"""Segmentation: a white-on-black mask of all objects of some names, of one in a region, at a point or as described."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from embodio.model.example import Image
from embodio.model.processing.image import Interpolation
from embodio.model.tasks.base.family import Annotation, Family, Output, with_answer
from embodio.model.tasks.base.image_family import Pixels, on_image, to_pixels
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.locations.places import Box, PixelMask, Point
from embodio.model.tasks.prompts.filling import BOX, Filling, groups_of, quoted


@dataclass(frozen=True, eq=False, kw_only=True)
class Segmented(Annotation):
    """What is asked for, by name, region, point, description or direction, and the mask.

    Attributes:
        name: name of the objects; "" for the one in the region or at the point, whatever it is.
        box: the region, float [4] as (y1, x1, y2, x2) in pixels of the image; None for all objects of the name.
        point: a point of the object, float [2] as (y, x) in pixels of the image; then neither name nor region is used.
        names: several names, of which some may not be in the image; in the region, if there is one. Then `name` is not
            used.
        complement: whether the pixels of none of the names are asked for.
        expression: a description of one object; then nothing else is used.
        facing: a direction such as "up"; then the surfaces that face it are asked for, and nothing else is used.
        mask: bool [H, W] of the size of the image; None in a request.
        drawn: in an answer, the generated image uint8 [H, W, 3].
        interpolation: interpolation when resizing the generated image to the input image.
    """

    name: str = ""
    box: Box | None = None
    point: Point | None = None
    names: tuple[str, ...] = ()
    complement: bool = False
    expression: str = ""
    facing: str = ""
    mask: PixelMask | None = None
    drawn: Pixels | None = None
    interpolation: Interpolation = "nearest"


class Segment(Family[Segmented]):
    """Segmentation (paper, appendices C.1, D.6 and D.11): image and what to segment in, black-and-white image out."""

    name = "segment"
    annotation = Segmented
    needs = ("image",)
    groups = groups_of(
        name={"name": "cup"},
        box={"name": "cup", "box": BOX},
        region={"box": BOX},
        point={"point": "[y x]"},
        names={"names": '"cup", "dog"'},
        names_in_box={"names": '"cup", "dog"', "box": BOX},
        not_names={"names": '"cup", "dog"'},
        expression={"expression": "the cup on the left"},
        facing={"facing": "up"},
    )
    answer = ("mask", "drawn")
    modality = "image"
    top_p = 0.97
    metrics = ("mask_iou", "boundary_iou", "grit_segmentation")

    def group(self, annotation: Segmented) -> str:
        """`name`, `box` for the object of a name in a region, `region` for a region alone, `point` and others.

        `names`, `names_in_box` and `not_names` are for several names, `expression` and `facing` for these fields.
        """
        if annotation.expression:
            return "expression"
        if annotation.facing:
            return "facing"
        if annotation.names and annotation.complement:
            return "not_names"
        if annotation.names:
            return "names" if annotation.box is None else "names_in_box"
        if annotation.point is not None:
            return "point"
        if annotation.box is None:
            return "name"
        return "box" if annotation.name else "region"

    def slots(self, annotation: Segmented, codec: TaskCodec) -> Mapping[str, Filling]:
        """What the group asks for."""
        image, group = annotation.media.image, self.group(annotation)
        if group in ("expression", "facing"):
            return {group: getattr(annotation, group)}
        if annotation.names:
            listed: dict[str, Filling] = {"names": quoted(annotation.names)}
            place = annotation.box if group == "names_in_box" else None
            return listed if place is None else listed | {"box": codec.box_ids(place, image)}
        if annotation.point is not None:
            return {"point": codec.point_ids(annotation.point, image)}
        named: dict[str, Filling] = {"name": annotation.name} if group in ("name", "box") else {}
        return named if annotation.box is None else named | {"box": codec.box_ids(annotation.box, image)}

    def target(self, annotation: Segmented, codec: TaskCodec) -> Image | None:
        """The mask in white on black."""
        if annotation.mask is None:
            return None
        return np.repeat(annotation.mask[..., None], 3, axis=2).astype(np.uint8) * np.uint8(255)

    def read(self, written: Output, asked: Segmented, codec: TaskCodec) -> Segmented:
        """The pixels that are closer to white than to black."""
        drawn = on_image(written, asked.media.image, asked.interpolation)
        return with_answer(asked, mask=drawn.mean(axis=2) > 0.5, drawn=to_pixels(drawn))


FAMILY = Segment()

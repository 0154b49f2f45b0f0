"""Categories: of the main object of an image, or of the object in a region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.base.text_family import TextFamily, TextItem
from embodio.model.tasks.locations.places import Box
from embodio.model.tasks.prompts.filling import BOX, Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Category(TextItem):
    """An image, or a region of it, and its category.

    Attributes:
        box: the region, float [4] as (y1, x1, y2, x2) in pixels of the image; None for the whole image.
        choices: the possible categories; empty for free text.
    """

    box: Box | None = None
    choices: tuple[str, ...] = ()


class Classify(TextFamily[Category]):
    """Classification (paper, appendix D.4): image and optional box in, name of a category out."""

    name = "classify"
    annotation = Category
    needs = ("image",)
    groups = groups_of(image={}, box={"box": BOX})
    tokens = 16
    metrics = ("exact_match",)

    def group(self, annotation: Category) -> str:
        """`image` or `box`."""
        return "image" if annotation.box is None else "box"

    def slots(self, annotation: Category, codec: TaskCodec) -> Mapping[str, Filling]:
        """The region, if there is one."""
        return {} if annotation.box is None else {"box": codec.box_ids(annotation.box, annotation.media.image)}

    def choices(self, annotation: Category) -> tuple[str, ...]:
        """The possible categories."""
        return annotation.choices


FAMILY = Classify()

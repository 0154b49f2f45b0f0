"""Relationships: what one object of an image does to another, or where it is in relation to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.base.text_family import TextFamily, TextItem
from embodio.model.tasks.locations.places import Box
from embodio.model.tasks.prompts.filling import BOX, Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Relationship(TextItem):
    """Two objects and their relationship.

    Attributes:
        subject: the region of the first object, float [4] as (y1, x1, y2, x2) in pixels of the image.
        object: the region of the second one.
        subject_name: name of the first object; "" where it is not known. The prompt does not use it.
        object_name: name of the second one.
        choices: the possible relationships; empty for free text.
    """

    subject: Box
    object: Box
    subject_name: str = ""
    object_name: str = ""
    choices: tuple[str, ...] = ()


class Relate(TextFamily[Relationship]):
    """Relationship tagging (paper, appendix D.4): image and two boxes in, a word or two out."""

    name = "relate"
    annotation = Relationship
    needs = ("image",)
    groups = groups_of(plain={"subject": BOX, "object": BOX})
    tokens = 16
    metrics = ("exact_match", "mean_recall")

    def slots(self, annotation: Relationship, codec: TaskCodec) -> Mapping[str, Filling]:
        """Both regions."""
        boxes = {"subject": annotation.subject, "object": annotation.object}
        return {name: codec.box_ids(box, annotation.media.image) for name, box in boxes.items()}

    def choices(self, annotation: Relationship) -> tuple[str, ...]:
        """The possible relationships."""
        return annotation.choices


FAMILY = Relate()

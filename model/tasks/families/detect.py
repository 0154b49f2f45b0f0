"""Detection: boxes and names of all objects, or of those of given names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from embodio.model.tasks.base.boxes_family import BoxesFamily, BoxesItem, name_ids
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.grammar import ItemsRule, Rule


@dataclass(frozen=True, eq=False, kw_only=True)
class Detected(BoxesItem):
    """The objects of an image.

    Attributes:
        names: the permitted names; empty for any.
    """

    names: tuple[str, ...] = ()


class Detect(BoxesFamily[Detected]):
    """Object detection (paper, appendix D.4): image in, boxes with names out."""

    name = "detect"
    annotation = Detected
    metrics = ("box_ap", "grit_localisation")

    def form(self, asked: Sequence[Detected], codec: TaskCodec, longest: int) -> Sequence[Rule]:
        """Boxes, each with one of the names."""
        return [
            ItemsRule(codec.vocabulary, longest, name_ids(codec, one.names) if one.names else None) for one in asked
        ]


FAMILY = Detect()

"""Detection: boxes and names of all objects, or of those of given names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embodio.model.tasks.base.boxes_family import BoxesFamily, BoxesItem, name_ids
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import TaskError
from embodio.model.tasks.grammar import ItemsRule, Rule
from embodio.model.tasks.prompts.filling import Filling, groups_of, quoted


@dataclass(frozen=True, eq=False, kw_only=True)
class Detected(BoxesItem):
    """The objects of an image.

    Attributes:
        names: the permitted names; empty for any.
        listed: whether the prompt lists the names, and only objects of these are asked for.
    """

    names: tuple[str, ...] = ()
    listed: bool = False


class Detect(BoxesFamily[Detected]):
    """Object detection (paper, appendices D.4 and D.11): image, and names if listed, in, boxes with names out."""

    name = "detect"
    annotation = Detected
    groups = groups_of(plain={}, listed={"names": '"cup", "dog"'})
    may_be_empty = ("boxes", "labels")
    metrics = ("box_ap", "grit_localisation")

    def group(self, annotation: Detected) -> str:
        """`listed` where the prompt lists the names, otherwise `plain`."""
        return "listed" if annotation.listed else "plain"

    def slots(self, annotation: Detected, codec: TaskCodec) -> Mapping[str, Filling]:
        """The names, if the prompt lists them; raises TaskError if there are none."""
        if not annotation.listed:
            return {}
        if not annotation.names:
            raise TaskError("names: the prompt lists them, and there are none; give some, or set listed=False")
        return {"names": quoted(annotation.names)}

    def form(self, asked: Sequence[Detected], codec: TaskCodec, longest: int) -> Sequence[Rule]:
        """Boxes, each with one of the names."""
        return [
            ItemsRule(codec.vocabulary, longest, name_ids(codec, one.names) if one.names else None) for one in asked
        ]


FAMILY = Detect()

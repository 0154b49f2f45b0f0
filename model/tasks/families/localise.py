"""Localisation: the boxes of all objects of one name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embodio.model.tasks.base.boxes_family import BoxesFamily, BoxesItem, name_ids
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.grammar import ItemsRule, Rule
from embodio.model.tasks.prompts.filling import Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Localised(BoxesItem):
    """A name, and the boxes of all objects of that name.

    Attributes:
        name: name of the objects.
        named: whether the name follows each box, as in most training data of the released networks.
        at_least_one: whether there is at least one object of that name.
    """

    name: str
    named: bool = True
    at_least_one: bool = False


class Localise(BoxesFamily[Localised]):
    """Localisation (paper, appendix D.4): image and name in, boxes out."""

    name = "localise"
    annotation = Localised
    groups = groups_of(named={"name": "cup"}, unnamed={"name": "cup"})
    may_be_empty = ("boxes", "labels")
    metrics = ("grit_localisation", "box_ap")

    def group(self, annotation: Localised) -> str:
        """`named` or `unnamed`: whether names follow the boxes."""
        return "named" if annotation.named else "unnamed"

    def slots(self, annotation: Localised, codec: TaskCodec) -> Mapping[str, Filling]:
        """The name."""
        return {"name": annotation.name}

    def named(self, annotation: Localised) -> bool:
        """Whether names follow the boxes."""
        return annotation.named

    def form(self, asked: Sequence[Localised], codec: TaskCodec, longest: int) -> Sequence[Rule]:
        """Boxes, each with or without the name."""
        return [
            ItemsRule(
                codec.vocabulary,
                longest,
                name_ids(codec, [one.name]) if one.named else (),
                at_least_one=one.at_least_one,
            )
            for one in asked
        ]


FAMILY = Localise()

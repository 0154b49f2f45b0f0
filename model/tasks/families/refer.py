"""Referring expressions: the box of the region that a text describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from embodio.model.tasks.base.one_box_family import OneBoxFamily, OneBoxItem
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.prompts.filling import Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Reference(OneBoxItem):
    """A text and the region that it describes.

    Attributes:
        expression: the text.
    """

    expression: str


class Refer(OneBoxFamily[Reference]):
    """Referring expression comprehension (paper, appendix D.4): image and text in, four value tokens out."""

    name = "refer"
    annotation = Reference
    groups = groups_of(plain={"expression": "the cup on the left"})

    def slots(self, annotation: Reference, codec: TaskCodec) -> Mapping[str, Filling]:
        """The text."""
        return {"expression": annotation.expression}


FAMILY = Refer()

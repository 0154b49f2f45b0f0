"""Text detection: the words in an image, each with its box."""

from __future__ import annotations

from collections.abc import Sequence

from embodio.model.tasks.base.boxes_family import BoxesFamily, BoxesItem
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.grammar import ItemsRule, Rule


class ReadText(BoxesFamily[BoxesItem]):
    """Text detection (paper, appendix D.4): image in, boxes with what is written in them out."""

    name = "read_text"
    annotation = BoxesItem
    may_be_empty = ("boxes", "labels")
    metrics = ("text_spotting", "grit_localisation")

    def form(self, asked: Sequence[BoxesItem], codec: TaskCodec, longest: int) -> Sequence[Rule]:
        """Boxes, each with any text."""
        return [ItemsRule(codec.vocabulary, longest, None)] * len(asked)


FAMILY = ReadText()

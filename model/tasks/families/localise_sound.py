"""Sound localisation: the boxes of what makes the sound that is heard."""

from __future__ import annotations

from collections.abc import Sequence

from embodio.model.tasks.base.boxes_family import BoxesFamily, BoxesItem
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.grammar import ItemsRule, Rule


class LocaliseSound(BoxesFamily[BoxesItem]):
    """Visual sound localisation (paper, Table 11): image and sound in, boxes without names out."""

    name = "localise_sound"
    annotation = BoxesItem
    metrics = ("grit_localisation",)

    def named(self, annotation: BoxesItem) -> bool:
        """No names follow the boxes."""
        return False

    def form(self, asked: Sequence[BoxesItem], codec: TaskCodec, longest: int) -> Sequence[Rule]:
        """Boxes without names."""
        return [ItemsRule(codec.vocabulary, longest, ())] * len(asked)


FAMILY = LocaliseSound()

"""Several referring expressions: one box for each of two or more texts, in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embodio.model.tasks.base.boxes_family import BoxesFamily, BoxesItem
from embodio.model.tasks.base.family import Output
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError, TaskError
from embodio.model.tasks.grammar import ItemsRule, Rule
from embodio.model.tasks.prompts.filling import Filling, groups_of, quoted


@dataclass(frozen=True, eq=False, kw_only=True)
class References(BoxesItem):
    """Texts and the region that each describes.

    Attributes:
        expressions: the texts, at least two.
    """

    expressions: tuple[str, ...]


class ReferSeveral(BoxesFamily[References]):
    """Several referring expressions at once (paper, appendix D.11): image and texts in, a box for each out."""

    name = "refer_several"
    annotation = References
    groups = groups_of(plain={"expressions": '"the cup on the left", "the dog"'})
    metrics = ("boxes_in_order",)

    def slots(self, annotation: References, codec: TaskCodec) -> Mapping[str, Filling]:
        """The texts in quotation marks; raises TaskError if there are fewer than two."""
        if len(annotation.expressions) < 2:
            raise TaskError(f"expressions: got {annotation.expressions}, expected two or more; `refer` is for one")
        return {"expressions": quoted(one.strip() for one in annotation.expressions)}

    def named(self, annotation: References) -> bool:
        """The order says which box is whose."""
        return False

    def target(self, annotation: References, codec: TaskCodec) -> list[str | int] | None:
        """The boxes; raises TaskError if there is not one for each text."""
        if annotation.boxes is not None and len(annotation.boxes) != len(annotation.expressions):
            raise TaskError(f"boxes: {len(annotation.boxes)} for {len(annotation.expressions)} expressions")
        return super().target(annotation, codec)

    def form(self, asked: Sequence[References], codec: TaskCodec, longest: int) -> Sequence[Rule]:
        """Boxes without names."""
        return [ItemsRule(codec.vocabulary, longest, (), at_least_one=True)] * len(asked)

    def read(self, written: Output, asked: References, codec: TaskCodec) -> References | AnswerError:
        """The boxes; an AnswerError if there is not one for each text."""
        found = super().read(written, asked, codec)
        if isinstance(found, AnswerError) or found.boxes is None or len(found.boxes) == len(asked.expressions):
            return found
        return AnswerError(f"expected {len(asked.expressions)} boxes", f"{len(found.boxes)} boxes")


FAMILY = ReferSeveral()

"""Referring expressions: the box of the region that a text describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.model.tasks.base.family import Annotation, Family, Output, token_ids, with_answer
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.grammar import BOX_VALUES, ItemsRule, Rule
from embodio.model.tasks.parsers import parse_box
from embodio.model.tasks.prompts.filling import Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Reference(Annotation):
    """A text and the region that it describes.

    Attributes:
        expression: the text.
        box: float32 [4] as (y1, x1, y2, x2) in pixels of the image; None in a request.
    """

    expression: str
    box: npt.NDArray[np.float32] | None = None


class Refer(Family[Reference]):
    """Referring expression comprehension (paper, appendix D.4): image and text in, four value tokens out."""

    name = "refer"
    annotation = Reference
    groups = groups_of(plain={"expression": "the cup on the left"})
    answer = ("box",)
    tokens = BOX_VALUES + 1
    metrics = ("box_accuracy",)

    def slots(self, annotation: Reference, codec: TaskCodec) -> Mapping[str, Filling]:
        """The text."""
        return {"expression": annotation.expression}

    def target(self, annotation: Reference, codec: TaskCodec) -> list[int] | None:
        """The box as four value tokens."""
        return None if annotation.box is None else codec.box_ids(annotation.box, annotation.media.image)

    def form(self, asked: Sequence[Reference], codec: TaskCodec, longest: int) -> Sequence[Rule]:
        """Exactly one box."""
        return [ItemsRule(codec.vocabulary, longest, (), at_least_one=True)] * len(asked)

    def read(self, written: Output, asked: Reference, codec: TaskCodec) -> Reference | AnswerError:
        """The box in pixels of the image."""
        found = parse_box(codec.locations, token_ids(written), codec.fit(asked.media.image))
        return found if isinstance(found, AnswerError) else with_answer(asked, box=found.box)


FAMILY = Refer()

"""Base class of families answered with exactly one box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from embodio.model.tasks.base.family import Annotation, Family, Output, token_ids, with_answer
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.grammar import BOX_VALUES, ItemsRule, Rule
from embodio.model.tasks.locations.places import Box
from embodio.model.tasks.parsers import parse_box


@dataclass(frozen=True, eq=False, kw_only=True)
class OneBoxItem(Annotation):
    """One region of an image.

    Attributes:
        box: float32 [4] as (y1, x1, y2, x2) in pixels of the image; None in a request.
    """

    box: Box | None = None


O = TypeVar("O", bound=OneBoxItem)  # noqa: E741


class OneBoxFamily(Family[O]):
    """A family whose answer is one box, four value tokens."""

    answer = ("box",)
    needs = ("image",)
    tokens = BOX_VALUES + 1
    metrics = ("box_accuracy",)

    def target(self, annotation: O, codec: TaskCodec) -> list[int] | None:
        """The box as four value tokens."""
        return None if annotation.box is None else codec.box_ids(annotation.box, annotation.media.image)

    def form(self, asked: Sequence[O], codec: TaskCodec, longest: int) -> Sequence[Rule]:
        """Exactly one box."""
        return [ItemsRule(codec.vocabulary, longest, (), at_least_one=True)] * len(asked)

    def read(self, written: Output, asked: O, codec: TaskCodec) -> O | AnswerError:
        """The box in pixels of the image."""
        found = parse_box(codec.locations, token_ids(written), codec.fit(asked.media.image))
        return found if isinstance(found, AnswerError) else with_answer(asked, box=found.box)

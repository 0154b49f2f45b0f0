"""Pointing: one point on what a text describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embodio.model.generation import Constraint, allow_by_step
from embodio.model.tasks.base.family import Annotation, Family, Output, token_ids, with_answer
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.grammar import values_steps
from embodio.model.tasks.locations.places import Point
from embodio.model.tasks.parsers import parse_values
from embodio.model.tasks.prompts.filling import Filling, groups_of

POINT_VALUES = 2


@dataclass(frozen=True, eq=False, kw_only=True)
class Pointed(Annotation):
    """A text and a point on what it describes.

    Attributes:
        expression: the text, a description or a question such as "what can be opened?".
        point: float32 [2] as (y, x) in pixels of the image; None in a request.
    """

    expression: str
    point: Point | None = None


class PointOut(Family[Pointed]):
    """Pointing, as in questions answered by a place (paper, appendix D.4): image and text in, two value tokens out."""

    name = "point"
    annotation = Pointed
    needs = ("image",)
    groups = groups_of(plain={"expression": "the handle of the drawer"})
    answer = ("point",)
    tokens = POINT_VALUES + 1
    metrics = ("point_distance",)

    def slots(self, annotation: Pointed, codec: TaskCodec) -> Mapping[str, Filling]:
        """The text."""
        return {"expression": annotation.expression}

    def target(self, annotation: Pointed, codec: TaskCodec) -> list[int] | None:
        """The point as two value tokens."""
        return None if annotation.point is None else codec.point_ids(annotation.point, annotation.media.image)

    def form(self, asked: Sequence[Pointed], codec: TaskCodec, longest: int) -> Constraint:
        """Two values."""
        return allow_by_step(values_steps(codec.vocabulary, POINT_VALUES))

    def read(self, written: Output, asked: Pointed, codec: TaskCodec) -> Pointed | AnswerError:
        """The point in pixels of the image."""
        values = parse_values(codec.locations, token_ids(written), POINT_VALUES, "a point is two values")
        if isinstance(values, AnswerError):
            return values
        return with_answer(asked, point=codec.locations.ids_to_points([values], codec.fit(asked.media.image))[0])


FAMILY = PointOut()

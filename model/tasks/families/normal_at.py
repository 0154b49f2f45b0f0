"""Surface normals of points: which way the surface at one point of an image faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.model.generation import Constraint, allow_by_step
from embodio.model.tasks.base.family import Annotation, Family, Output, token_ids, with_answer
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.grammar import values_steps
from embodio.model.tasks.locations.codec import ValueRange
from embodio.model.tasks.locations.places import Point
from embodio.model.tasks.parsers import parse_text, parse_values
from embodio.model.tasks.prompts.filling import Filling, groups_of

COMPONENT = ValueRange("component of a surface normal", -1.0, 1.0)
NORMAL_VALUES = 3


@dataclass(frozen=True, eq=False, kw_only=True)
class PointNormal(Annotation):
    """A point of an image and the surface normal there.

    Attributes:
        point: float [2] as (y, x) in pixels of the image.
        normal: float32 [3], (x, y, z) of length 1, in the axes of the normals of `NormalsItem`; None in a request.
    """

    point: Point
    normal: npt.NDArray[np.float32] | None = None


class NormalAt(Family[PointNormal]):
    """The normal at a point (paper, appendix D.11): image and point in, three value tokens for x, y and z out."""

    name = "normal_at"
    annotation = PointNormal
    needs = ("image",)
    groups = groups_of(plain={"point": "[y x]"})
    answer = ("normal",)
    tokens = NORMAL_VALUES + 1
    metrics = ("point_normal",)

    def slots(self, annotation: PointNormal, codec: TaskCodec) -> Mapping[str, Filling]:
        """The point."""
        return {"point": codec.point_ids(annotation.point, annotation.media.image)}

    def target(self, annotation: PointNormal, codec: TaskCodec) -> list[int] | None:
        """Three value tokens."""
        if annotation.normal is None:
            return None
        return [int(one) for one in codec.locations.numbers_to_ids(np.clip(annotation.normal, -1, 1), COMPONENT)]

    def form(self, asked: Sequence[PointNormal], codec: TaskCodec, longest: int) -> Constraint:
        """Three values."""
        return allow_by_step(values_steps(codec.vocabulary, NORMAL_VALUES))

    def read(self, written: Output, asked: PointNormal, codec: TaskCodec) -> PointNormal | AnswerError:
        """The normal, of length 1."""
        ids = token_ids(written)
        values = parse_values(codec.locations, ids, NORMAL_VALUES, "a normal is three values")
        if isinstance(values, AnswerError):
            return values
        found = codec.locations.ids_to_numbers(values, COMPONENT)
        length = float(np.linalg.norm(found))
        if length < 0.1:
            return AnswerError("a normal has a direction", parse_text(codec.locations, ids))
        return with_answer(asked, normal=(found / length).astype(np.float32))


FAMILY = NormalAt()

"""Tracking: where an object, or a point, of an earlier frame is in the last frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.model.generation import Constraint, allow_by_step
from embodio.model.tasks.base.family import Annotation, Family, Output, token_ids, with_answer
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError, TaskError
from embodio.model.tasks.grammar import values_steps
from embodio.model.tasks.parsers import parse_box, parse_text
from embodio.model.tasks.prompts.filling import Filling

Place = npt.NDArray[np.float32]
_POINT, _BOX = 2, 4


@dataclass(frozen=True, eq=False, kw_only=True)
class Tracked(Annotation):
    """A place in the first frame of the history, and the same in the image, which is the last frame.

    Attributes:
        start: float32 [4] as (y1, x1, y2, x2), or [2] as (y, x) of a point, in pixels of the first frame.
        box: float32 [4] in pixels of the image; None in a request, and for points.
        point: float32 [2] in pixels of the image; None in a request, and for boxes.
    """

    start: Place
    box: Place | None = None
    point: Place | None = None


class Track(Family[Tracked]):
    """Tracking (paper, Table 11): frames and a place in the first one in, value tokens of that in the last one out."""

    name = "track"
    annotation = Tracked
    answer = ("box", "point")
    tokens = _BOX + 1
    metrics = ("box_accuracy",)

    def group(self, annotation: Tracked) -> str:
        """`box` or `point`."""
        return "point" if len(annotation.start) == _POINT else "box"

    def slots(self, annotation: Tracked, codec: TaskCodec) -> Mapping[str, Filling]:
        """The place in the first frame; raises TaskError if there is no earlier frame."""
        if not annotation.media.image_history:
            raise TaskError("image_history: there is no earlier frame; give the one in which `start` is, first")
        first = annotation.media.image_history[0]
        if self.group(annotation) == "box":
            return {"box": codec.box_ids(annotation.start, first)}
        return {"point": _point_ids(annotation.start, codec, first)}

    def target(self, annotation: Tracked, codec: TaskCodec) -> list[int] | None:
        """The place in the last frame as value tokens."""
        if annotation.point is not None:
            return _point_ids(annotation.point, codec, annotation.media.image)
        return None if annotation.box is None else codec.box_ids(annotation.box, annotation.media.image)

    def form(self, asked: Sequence[Tracked], codec: TaskCodec, longest: int) -> Constraint:
        """As many values as the first place has; raises TaskError for boxes and points in one batch."""
        counts = {len(one.start) for one in asked}
        if len(counts) > 1:
            raise TaskError("start: boxes and points in one batch; ask for them one after the other")
        return allow_by_step(values_steps(codec.vocabulary, counts.pop()))

    def read(self, written: Output, asked: Tracked, codec: TaskCodec) -> Tracked | AnswerError:
        """The place in pixels of the image."""
        fit = codec.fit(asked.media.image)
        if self.group(asked) == "box":
            found = parse_box(codec.locations, token_ids(written), fit)
            return found if isinstance(found, AnswerError) else with_answer(asked, box=found.box)
        values = codec.locations.runs(token_ids(written), _POINT)
        if len(values) != 1:
            return AnswerError(
                "a point is two values and nothing else", parse_text(codec.locations, token_ids(written))
            )
        return with_answer(asked, point=codec.locations.ids_to_points(values, fit)[0])


def _point_ids(point: Place, codec: TaskCodec, image: npt.NDArray[np.generic] | None) -> list[int]:
    ids: list[int] = codec.locations.points_to_ids(np.asarray(point)[None], codec.fit(image))[0].tolist()
    return ids


FAMILY = Track()

"""Tracking: the boxes of one object in all frames after the first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.model.example import Image
from embodio.model.tasks.base.family import Annotation, Family, InputMedia, Output, token_ids, with_answer
from embodio.model.tasks.base.sense import require_places
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError, TaskError
from embodio.model.tasks.grammar import BOX_VALUES
from embodio.model.tasks.locations.places import Box
from embodio.model.tasks.parsers import parse_text
from embodio.model.tasks.prompts.filling import BOX, Filling, groups_of

UNSEEN = "none"
"""The word in place of the box of a frame in which the object cannot be seen."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Tracked(Annotation):
    """Frames, the earlier ones in the history and the last one as the main image, and an object.

    Attributes:
        start: the object in the first frame, float [4] as (y1, x1, y2, x2) in pixels of that frame.
        boxes: float32 [T - 1, 4], the object in each later frame; NaN where it cannot be seen. None in a request.
    """

    start: npt.NDArray[np.float32]
    boxes: npt.NDArray[np.float32] | None = None


class Track(Family[Tracked]):
    """Object tracking (paper, appendix D.9): frames and a box in the first in, a box or word for each later one out."""

    name = "track"
    annotation = Tracked
    needs = ("image",)
    groups = groups_of(plain={"box": BOX})
    answer = ("boxes",)
    tokens = 64
    metrics = ("track_overlap",)

    def slots(self, annotation: Tracked, codec: TaskCodec) -> Mapping[str, Filling]:
        """The object in the first frame; raises TaskError if it is not a box inside it."""
        first = frames(annotation.media)[0]
        require_places("start", Box, annotation.start, first.shape[:2])
        return {"box": codec.box_ids(annotation.start, first)}

    def target(self, annotation: Tracked, codec: TaskCodec) -> list[str | int] | None:
        """Four value tokens or a word for each later frame.

        Raises:
            TaskError: the numbers of boxes and later frames differ, or one is not inside its frame.
        """
        if annotation.boxes is None:
            return None
        later = frames(annotation.media)[1:]
        if len(annotation.boxes) != len(later):
            raise TaskError(
                f"boxes: {len(annotation.boxes)} for {len(later)} frames after the first; give one for each"
            )
        parts: list[str | int] = []
        for number, (box, frame) in enumerate(zip(annotation.boxes, later, strict=True)):
            if not np.isnan(box).any():
                require_places(f"boxes[{number}]", Box, box, frame.shape[:2])
            parts += [UNSEEN] if np.isnan(box).any() else codec.box_ids(box, frame)
        return parts

    def read(self, written: Output, asked: Tracked, codec: TaskCodec) -> Tracked | AnswerError:
        """The boxes in pixels of each frame; an AnswerError where there is not one for each."""
        ids = token_ids(written)
        places: list[list[int] | None] = []
        for values, text in codec.locations.split(ids):
            places += [values[at : at + BOX_VALUES] for at in range(0, len(values), BOX_VALUES)]
            places += [None if word == UNSEEN else [] for word in text.split()]
        later = frames(asked.media)[1:]
        if len(places) != len(later) or any(place is not None and len(place) != BOX_VALUES for place in places):
            reason = f"an answer is four values or {UNSEEN!r} for each of {len(later)} frames"
            return AnswerError(reason, parse_text(codec.locations, ids))
        found = np.full((len(later), 4), np.nan, dtype=np.float32)
        for row, (place, frame) in enumerate(zip(places, later, strict=True)):
            if place is not None:
                found[row] = codec.locations.ids_to_boxes([place], codec.fit(frame))[0]
        return with_answer(asked, boxes=found)


def frames(media: InputMedia) -> list[Image]:
    """The frames in order; raises TaskError if there are fewer than two."""
    found = [*media.image_history, *([] if media.image is None else [media.image])]
    if len(found) < 2:
        raise TaskError(f"image_history: {len(found)} frames in all; give the earlier ones, and the last as the image")
    return found


FAMILY = Track()

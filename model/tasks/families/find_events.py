"""Events in time: when actions of a video or sounds of a recording begin and end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.model.tasks.base.boxes_family import PLACES_TOKENS, name_ids
from embodio.model.tasks.base.family import Annotation, Family, Output, token_ids, with_answer
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.base.text_family import media_kind
from embodio.model.tasks.errors import AnswerError, TaskError
from embodio.model.tasks.grammar import ItemsRule, Rule
from embodio.model.tasks.locations.codec import ValueRange
from embodio.model.tasks.parsers import parse_text
from embodio.model.tasks.prompts.filling import Filling, groups_of

SPAN_VALUES = 2


@dataclass(frozen=True, eq=False, kw_only=True)
class Events(Annotation):
    """A video or a sound, and what happens when.

    Attributes:
        seconds: length of the video or sound.
        name: the event that is asked for; "" for all.
        spans: float32 [N, 2], beginning and end in seconds; None in a request.
        labels: the name of each event.
    """

    seconds: float
    name: str = ""
    spans: npt.NDArray[np.float32] | None = None
    labels: tuple[str, ...] = ()


class FindEvents(Family[Events]):
    """Localisation of actions and sounds in time (paper, appendix D.9): video or sound in, spans with names out.

    A time is a share of the length, written as a value token.
    """

    name = "find_events"
    annotation = Events
    needs = ("image", "sound")
    groups = groups_of(action={"name": "opening a door"}, actions={}, sound={"name": "dog barking"}, sounds={})
    answer = ("spans", "labels")
    may_be_empty = ("spans", "labels")
    tokens = PLACES_TOKENS
    metrics = ("time_overlap",)

    def group(self, annotation: Events) -> str:
        """`sound` or `sounds` for a sound alone, otherwise `action` or `actions`; the singular for one name."""
        kind = "sound" if media_kind(annotation.media) == "sound" else "action"
        return kind if annotation.name else f"{kind}s"

    def slots(self, annotation: Events, codec: TaskCodec) -> Mapping[str, Filling]:
        """The name, if one is asked for."""
        return {"name": annotation.name} if annotation.name else {}

    def target(self, annotation: Events, codec: TaskCodec) -> list[str | int] | None:
        """Two value tokens and the name of each event.

        Raises:
            TaskError: the numbers of names and spans differ, or an event ends before it begins.
            LocationError: a time is outside the video or sound.
        """
        if annotation.spans is None:
            return None
        if (annotation.spans[:, 1] < annotation.spans[:, 0]).any():
            raise TaskError(f"spans: got {annotation.spans.tolist()}, where one ends before it begins; sort its times")
        if len(annotation.labels) != len(annotation.spans) or not all(label.strip() for label in annotation.labels):
            raise TaskError(f"labels: {annotation.labels} for {len(annotation.spans)} spans; give a name for each")
        ids = codec.locations.numbers_to_ids(annotation.spans, _times(annotation)).tolist()
        return [part for span, label in zip(ids, annotation.labels, strict=True) for part in (*span, label.strip())]

    def form(self, asked: Sequence[Events], codec: TaskCodec, longest: int) -> Sequence[Rule]:
        """Spans, each with a name."""
        names = [name_ids(codec, [one.name]) if one.name else None for one in asked]
        return [ItemsRule(codec.vocabulary, longest, own, SPAN_VALUES) for own in names]

    def read(self, written: Output, asked: Events, codec: TaskCodec) -> Events | AnswerError:
        """The spans in seconds; those that are not two values and a name are left out, an error if none is left."""
        ids = token_ids(written)
        parts = codec.locations.split(ids)
        good = [(values, text) for values, text in parts if len(values) == SPAN_VALUES and text]
        if parts and not good:
            return AnswerError("an event is two values and a name", parse_text(codec.locations, ids))
        places = np.array([values for values, _ in good], dtype=np.int64).reshape(-1, SPAN_VALUES)
        spans = codec.locations.ids_to_numbers(places, _times(asked)).astype(np.float32)
        return with_answer(asked, spans=spans, labels=tuple(text for _, text in good))


def _times(annotation: Events) -> ValueRange:
    if not annotation.seconds > 0:
        raise TaskError(f"seconds: got {annotation.seconds}, expected the length of the video or sound, above 0")
    return ValueRange("time in seconds", 0.0, annotation.seconds)


FAMILY = FindEvents()

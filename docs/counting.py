"""A family of tasks in one file: counting things in a picture. finetune.md trains and measures it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from embodio.datasets.metrics.parts.metric import MeanMetric, higher, lower
from embodio.model.generation import Constraint
from embodio.model.tasks.base.family import Annotation, Family, Output, token_ids, with_answer
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.grammar import plain_text
from embodio.model.tasks.parsers import parse_text
from embodio.model.tasks.prompts.filling import Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Counted(Annotation):
    """A picture, what is counted in it, and how many there are; None in a request."""

    thing: str
    count: int | None = None


class CountThings(Family[Counted]):
    """Counting: a picture and a name in, a number out."""

    name = "count_things"
    annotation = Counted
    groups = groups_of(plain={"thing": "red disc"})  # each group of wordings with its slots
    wordings: ClassVar = {
        "plain": {
            "wordings": ["How many of these are in the picture: {thing}?", "Count what fits this: {thing}."],
            "held_out": ["Give the number of things of this kind: {thing}."],
        }
    }
    answer = ("count",)
    tokens = 4
    metrics = ("counting:METRIC",)

    def slots(self, annotation: Counted, codec: TaskCodec) -> Mapping[str, Filling]:
        """What fills the slots of a wording."""
        return {"thing": annotation.thing}

    def target(self, annotation: Counted, codec: TaskCodec) -> str | None:
        """What the network learns to write."""
        return None if annotation.count is None else str(annotation.count)

    def form(self, asked: Sequence[Counted], codec: TaskCodec, longest: int) -> Constraint:
        """What the network may write: text."""
        return plain_text(codec.vocabulary)

    def read(self, written: Output, asked: Counted, codec: TaskCodec) -> Counted | AnswerError:
        """The annotation with the number that was written."""
        text = parse_text(codec.locations, token_ids(written))
        if not text.isdecimal():
            return AnswerError("expected a number", text)
        return with_answer(asked, count=int(text))


class CountError(MeanMetric[Counted]):
    """The share of right counts, and how far they are off; an answer that is no number is off by the count."""

    figures = higher("right") | lower("off_by")
    reads = ("count",)
    unbounded = ("off_by",)

    def measure(self, found: Counted | None, truth: Counted) -> dict[str, float]:
        """Of one answer."""
        right, count = truth.count or 0, 0 if found is None else found.count or 0
        return {"right": float(found is not None and count == right), "off_by": float(abs(count - right))}


FAMILY, METRIC = CountThings(), CountError()

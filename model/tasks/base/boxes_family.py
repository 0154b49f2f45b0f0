"""Base class of families answered with boxes and names."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from embodio.model.tasks.base.family import Annotation, Family, Output, token_ids, with_answer
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError, TaskError
from embodio.model.tasks.grammar import Rule
from embodio.model.tasks.locations.places import Boxes
from embodio.model.tasks.parsers import parse_boxes

PLACES_TOKENS = 256
"""Default limit of tokens of an answer with locations."""


@dataclass(frozen=True, eq=False, kw_only=True)
class BoxesItem(Annotation):
    """Boxes in an image.

    Attributes:
        boxes: float32 [N, 4] as (y1, x1, y2, x2) in pixels of the image; None in a request.
        labels: the name of each box; empty texts where names are not written.
        skipped: in an answer, text that is not a box.
        scores: in an answer, how certain each box is; None where only the order says so, the most certain first.
    """

    boxes: Boxes | None = None
    labels: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    scores: tuple[float, ...] | None = None


B = TypeVar("B", bound=BoxesItem)


class BoxesFamily(Family[B]):
    """A family whose answer is boxes: four value tokens each, with or without a name."""

    tokens = PLACES_TOKENS
    answer = ("boxes", "labels")
    may_be_empty: ClassVar[tuple[str, ...]] = ("labels",)
    needs = ("image",)

    def named(self, annotation: B) -> bool:
        """Whether a name follows each box."""
        return True

    def target(self, annotation: B, codec: TaskCodec) -> list[str | int] | None:
        """The boxes, each with its name.

        Raises:
            TaskError: the numbers of names and boxes differ.
        """
        if annotation.boxes is None:
            return None
        ids = codec.locations.boxes_to_ids(annotation.boxes, codec.fit(annotation.media.image)).tolist()
        if not self.named(annotation):
            return [token for box in ids for token in box]
        if len(annotation.labels) != len(ids) or not all(label.strip() for label in annotation.labels):
            raise TaskError(f"labels: {annotation.labels} for {len(ids)} boxes; give a name for each")
        return [part for box, label in zip(ids, annotation.labels, strict=True) for part in (*box, label.strip())]

    @abstractmethod
    def form(self, asked: Sequence[B], codec: TaskCodec, longest: int) -> Sequence[Rule]:
        """A rule for each row."""

    def read(self, written: Output, asked: B, codec: TaskCodec) -> B | AnswerError:
        """The boxes with an area, in pixels of the image, in the order written."""
        found = parse_boxes(codec.locations, token_ids(written), codec.fit(asked.media.image), self.named(asked))
        if isinstance(found, AnswerError):
            return found
        return with_answer(asked, boxes=found.boxes, labels=found.labels, skipped=found.skipped)


def name_ids(codec: TaskCodec, names: Iterable[str]) -> tuple[tuple[int, ...], ...]:
    """The token ids of names."""
    return tuple(tuple(codec.vocabulary.encode(name.strip())) for name in names)

"""Base class of families answered with text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from embodio.model.generation import Constraint
from embodio.model.tasks.base.family import Annotation, Family, InputMedia, Output, token_ids, with_answer
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.grammar import plain_text
from embodio.model.tasks.parsers import parse_text


@dataclass(frozen=True, eq=False, kw_only=True)
class TextItem(Annotation):
    """Media and a text about them.

    Attributes:
        text: the answer; None in a request.
        references: all right answers, such as those of several people, by which an answer is judged; empty where
            `text` is the only one.
    """

    text: str | None = None
    references: tuple[str, ...] = ()


T = TypeVar("T", bound=TextItem)


class TextFamily(Family[T]):
    """A family whose answer is a text."""

    answer: ClassVar[tuple[str, ...]] = ("text", "references")

    def target(self, annotation: T, codec: TaskCodec) -> str | None:
        """The text."""
        return annotation.text

    def form(self, asked: Sequence[T], codec: TaskCodec, longest: int) -> Constraint:
        """Text without special tokens."""
        return plain_text(codec.vocabulary)

    def read(self, written: Output, asked: T, codec: TaskCodec) -> T | AnswerError:
        """The text, without spaces around it."""
        return with_answer(asked, text=parse_text(codec.locations, token_ids(written)))


def media_kind(media: InputMedia) -> str:
    """`video` for several images, `image` for one, otherwise `sound`."""
    if media.image_history:
        return "video"
    return "sound" if media.image is None else "image"

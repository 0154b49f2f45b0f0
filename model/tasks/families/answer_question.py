"""Questions about an image, a video or a sound, answered in a few words or by one of several given answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.base.text_family import TextFamily, TextItem
from embodio.model.tasks.prompts.filling import Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Question(TextItem):
    """A question and its answer.

    Attributes:
        question: the question as text.
        choices: the possible answers; empty for free text.
    """

    question: str
    choices: tuple[str, ...] = ()


class AnswerQuestion(TextFamily[Question]):
    """Question answering (paper, appendices D.5 and D.8): image, video or sound and question in, a few words out."""

    name = "answer_question"
    annotation = Question
    groups = groups_of(
        plain={"question": "what is on the table?"},
        video={"question": "what does the man do?"},
        sound={"question": "what is heard?"},
    )
    tokens = 32
    metrics = ("vqa_accuracy", "exact_match")

    def group(self, annotation: Question) -> str:
        """`video` for several images, `sound` for a sound alone, otherwise `plain`."""
        media = annotation.media
        if media.image_history:
            return "video"
        return "sound" if media.image is None and media.audio is not None else "plain"

    def slots(self, annotation: Question, codec: TaskCodec) -> Mapping[str, Filling]:
        """The question."""
        return {"question": annotation.question}

    def choices(self, annotation: Question) -> tuple[str, ...]:
        """The possible answers."""
        return annotation.choices


FAMILY = AnswerQuestion()

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
        pair: whether the question is about two images, the first of which is the image history; otherwise an image
            history is earlier frames of a video.
    """

    question: str
    choices: tuple[str, ...] = ()
    pair: bool = False


class AnswerQuestion(TextFamily[Question]):
    """Question answering (paper, appendices D.5, D.7 and D.8): media and question in, a few words out.

    Of one image or a pair, of a video with or without its sound, of a sound, and of nothing but words.
    """

    name = "answer_question"
    annotation = Question
    groups = groups_of(
        plain={"question": "what is on the table?"},
        video={"question": "what does the man do?"},
        sound={"question": "what is heard?"},
        pair={"question": "what is different?"},
        heard_and_seen={"question": "which instrument makes the sound?"},
    )
    tokens = 32
    metrics = ("vqa_accuracy", "exact_match")

    def group(self, annotation: Question) -> str:
        """`pair`, `heard_and_seen` for images with sound, `video` for several images, `sound`, otherwise `plain`."""
        media = annotation.media
        if annotation.pair:
            return "pair"
        if media.has_sounds and media.has_images:
            return "heard_and_seen"
        if media.image_history:
            return "video"
        return "sound" if media.has_sounds else "plain"

    def slots(self, annotation: Question, codec: TaskCodec) -> Mapping[str, Filling]:
        """The question."""
        return {"question": annotation.question}

    def choices(self, annotation: Question) -> tuple[str, ...]:
        """The possible answers."""
        return annotation.choices


FAMILY = AnswerQuestion()

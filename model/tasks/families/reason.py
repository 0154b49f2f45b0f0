"""Chain of thought: a question answered step by step, the answer last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from embodio.model.tasks.base.family import Output, token_ids, with_answer
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.base.text_family import TextFamily, TextItem
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.parsers import parse_text
from embodio.model.tasks.prompts.filling import Filling, groups_of

BEFORE_ANSWER = "The answer is"


@dataclass(frozen=True, eq=False, kw_only=True)
class Reasoned(TextItem):
    """A question, the steps to its answer, and the answer.

    Attributes:
        question: the question as text.
        steps: the explanation before the answer; None in a request.
    """

    question: str
    steps: str | None = None


class Reason(TextFamily[Reasoned]):
    """Chain-of-thought questions (paper, appendix D.1): question, and media if any, in; steps and an answer out."""

    name = "reason"
    annotation = Reasoned
    groups = groups_of(plain={"question": "Ada has 3 apples and eats one. How many are left?"})
    answer = ("text", "references", "steps")
    may_be_empty = ("steps",)
    metrics = ("exact_match",)

    def slots(self, annotation: Reasoned, codec: TaskCodec) -> Mapping[str, Filling]:
        """The question."""
        return {"question": annotation.question}

    def target(self, annotation: Reasoned, codec: TaskCodec) -> str | None:
        """The steps, and a sentence with the answer."""
        if annotation.text is None:
            return None
        return f"{(annotation.steps or '').strip()} {BEFORE_ANSWER} {annotation.text.strip()}.".strip()

    def read(self, written: Output, asked: Reasoned, codec: TaskCodec) -> Reasoned | AnswerError:
        """The steps, and the answer after the last sentence that announces it."""
        text = parse_text(codec.locations, token_ids(written))
        steps, announced, answer = text.rpartition(BEFORE_ANSWER)
        if not announced or not answer.strip(" ."):
            return AnswerError(f"an answer ends with {BEFORE_ANSWER!r} and the answer", text)
        return with_answer(asked, steps=steps.strip(), text=answer.strip().removesuffix("."))


FAMILY = Reason()

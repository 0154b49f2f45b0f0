"""Multiple choice: a question with lettered options, answered with a letter."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embodio.model.generation import Constraint
from embodio.model.tasks.base.family import Annotation, Family, Output, token_ids, with_answer
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError, TaskError
from embodio.model.tasks.grammar import plain_text
from embodio.model.tasks.parsers import parse_text
from embodio.model.tasks.prompts.filling import Filling, groups_of

LETTERS = string.ascii_uppercase


@dataclass(frozen=True, eq=False, kw_only=True)
class ChoiceQuestion(Annotation):
    """A question, its options, and the right one; with media or without.

    Attributes:
        question: the question as text.
        options: the possible answers, at least two and at most 26.
        chosen: number of the right one, from 0 on; None in a request.
    """

    question: str
    options: tuple[str, ...]
    chosen: int | None = None


class MultipleChoice(Family[ChoiceQuestion]):
    """Multiple-choice questions (paper, appendices D.1 and D.5): question and options in, a letter out."""

    name = "multiple_choice"
    annotation = ChoiceQuestion
    groups = groups_of(plain={"question": "what is it?", "options": "(A) a cup (B) a dog"})
    answer = ("chosen",)
    tokens = 4
    metrics = ("choice_accuracy",)

    def slots(self, annotation: ChoiceQuestion, codec: TaskCodec) -> Mapping[str, Filling]:
        """The question, and the options after their letters.

        Raises:
            TaskError: there are fewer than two options or more than letters, or one is empty.
        """
        options = annotation.options
        if not 2 <= len(options) <= len(LETTERS) or not all(one.strip() for one in options):
            raise TaskError(f"options: expected 2 to {len(LETTERS)} texts, none of them empty, found {options}")
        listed = " ".join(f"({letter}) {one.strip()}" for letter, one in zip(LETTERS, options, strict=False))
        return {"question": annotation.question, "options": listed}

    def target(self, annotation: ChoiceQuestion, codec: TaskCodec) -> str | None:
        """The letter; raises TaskError if there is not such an option."""
        if annotation.chosen is None:
            return None
        if not 0 <= annotation.chosen < len(annotation.options):
            raise TaskError(f"chosen: got {annotation.chosen}, expected 0 to {len(annotation.options) - 1}")
        return LETTERS[annotation.chosen]

    def choices(self, annotation: ChoiceQuestion) -> tuple[str, ...]:
        """The letters."""
        return tuple(LETTERS[: len(annotation.options)])

    def form(self, asked: Sequence[ChoiceQuestion], codec: TaskCodec, longest: int) -> Constraint:
        """Text without special tokens."""
        return plain_text(codec.vocabulary)

    def read(self, written: Output, asked: ChoiceQuestion, codec: TaskCodec) -> ChoiceQuestion | AnswerError:
        """The option of a letter, with or without parentheses, or of its own words."""
        text = parse_text(codec.locations, token_ids(written))
        letter = text.strip("(). ").upper()
        same = [number for number, one in enumerate(asked.options) if one.strip().lower() == text.lower()]
        if letter in self.choices(asked):
            return with_answer(asked, chosen=LETTERS.index(letter))
        if len(same) == 1:
            return with_answer(asked, chosen=same[0])
        return AnswerError(f"an answer is one of the letters {', '.join(self.choices(asked))}", text)


FAMILY = MultipleChoice()

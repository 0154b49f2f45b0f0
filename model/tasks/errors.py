"""Errors of tasks: invalid requests, prompts with wrong slots, and unreadable answers."""

from embodio.model.errors import ModelError


class TaskError(ModelError, ValueError):
    """An invalid request: nothing given, counts that differ, or a model that lacks what the task needs."""


class PromptError(ModelError, ValueError):
    """A prompt with slots other than those of its task."""


class AnswerError(ModelError, ValueError):
    """The model's output cannot be read as the task's answer.

    Parsers and tasks return it in place of the answer, so that one unreadable answer does not lose the others of the
    batch. It is an exception, so that callers may raise it.

    Attributes:
        text: the model's output.
        reason: what is wrong with it.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(f"{reason}; the model wrote {text!r}")
        self.reason, self.text = reason, text

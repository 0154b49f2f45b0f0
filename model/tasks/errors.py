"""Errors of tasks: a request that makes no sense, a prompt with wrong slots, an answer that cannot be read."""

from embodio.model.errors import ModelError


class TaskError(ModelError, ValueError):
    """A request that cannot be served: nothing given, counts that differ, or a model without what the task needs."""


class PromptError(ModelError, ValueError):
    """A prompt whose slots are not those of its task."""


class AnswerError(ModelError, ValueError):
    """What the model wrote cannot be read as the task's answer.

    Parsers and tasks return it in the place of the answer, so that one unreadable answer does not lose the others of
    the batch. It is an exception, so that it may be raised.

    Attributes:
        text: what the model wrote.
        reason: what is wrong with it.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(f"{reason}; the model wrote {text!r}")
        self.reason, self.text = reason, text

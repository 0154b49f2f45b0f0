"""Errors of the agent: each names the wrong field and the remedy."""

from __future__ import annotations


class AgentError(Exception):
    """Base of all errors raised by `embodio.agent`."""


class ActionError(AgentError, ValueError):
    """An action, or its tokens, is not allowed by the embodiment."""


class ObservationError(AgentError, ValueError):
    """An observation lacks a key, or one of its values has the wrong shape, dtype or range."""


class CheckpointError(AgentError):
    """A checkpoint folder is missing, incomplete, or contradicts itself."""


class NotReset(AgentError):
    """`act` was called before `reset`, or without any instruction."""


class Abstained(AgentError):
    """The agent does not trust its action and is configured to refuse in that case."""


class Declined(Abstained):
    """The policy answered that the scene lacks what it is asked for."""


class CannotDo(AgentError):
    """The checkpoint lacks a required part, such as the image tokeniser for imagining a goal."""


class PrecisionError(AgentError):
    """A precision, device or compiler cannot be used on this machine."""

"""Errors of the agent: each names the field that is wrong and says what to do about it."""

from __future__ import annotations


class AgentError(Exception):
    """Base of all errors raised by `embodio.agent`."""


class ActionError(AgentError, ValueError):
    """An action, or its tokens, is outside of what the embodiment allows."""


class ObservationError(AgentError, ValueError):
    """An observation misses a key, or one of its values has the wrong shape, dtype or range."""


class CheckpointError(AgentError):
    """A checkpoint folder is missing, incomplete, or contradicts itself."""


class NotReset(AgentError):
    """`act` was called before `reset`, or without any instruction."""


class Abstained(AgentError):
    """The agent does not trust its action and was told to refuse in that case."""


class CannotDo(AgentError):
    """The checkpoint lacks what was asked for, such as the image tokeniser that drawing a goal needs."""


class PrecisionError(AgentError):
    """Faster weights gave results too far from those of float32, or cannot be used on this machine."""

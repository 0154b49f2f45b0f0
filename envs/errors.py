"""Errors of environments, embodiments and rollouts; each states the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LISTED = 20  # names that an error lists one by one


class EnvError(Exception):
    """Base class of all errors raised by `embodio.envs`."""


class EmbodimentError(EnvError):
    """An embodiment is malformed; the message names the field."""


class EmbodimentMismatch(EnvError):
    """Two embodiments that must be equal differ; the message lists the fields and the remedy."""


class SimulatorError(EnvError):
    """The simulator itself failed (diverged, failed to render, ...). Not the fault of the policy."""


class InvalidAction(EnvError, ValueError):
    """An action has the wrong shape, is not finite, or is outside the limits of the action space."""


class UnknownEnv(EnvError, KeyError):
    """No environment has this name; the message names the nearest one."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        choices = sorted(known)
        nearest = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        families = sorted({choice.partition("/")[0] for choice in choices})
        many = len(choices) > _LISTED
        listed = ", ".join(f"{family}/..." for family in families) if many else ", ".join(choices)
        more = "; `embodio-envs` lists them. One of your own is module:Class" if many else ""
        self.message = f"unknown environment {name!r}.{hint} Known environments: {listed}{more}."
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message

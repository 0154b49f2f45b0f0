"""Robot prompts: the instruction, and clauses for state, actions and the action space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embodio.model.tasks.base.family import Annotation
from embodio.model.tasks.prompts.filling import Filling, fill

CLAUSES: Mapping[str, str] = {
    "state": " State: {state}",
    "previous_actions": " Actions so far: {actions}",
    "following_actions": " Actions now: {actions}",
    "action_space": " {action_space}",
}
"""The clauses that may follow a wording, in this order; their wording is fixed."""

WORDS_OF_ROBOT = ("instruction",)
"""What may be empty: a recording may have no words, and training may leave them out."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RobotItem(Annotation):
    """One step of a robot; states and actions are token ids in the robot's format.

    Attributes:
        instruction: what the robot should do: text, or texts and ids that refer to images and sounds of the history.
        state: value ids of the current state; empty if not given.
        previous_actions: ids of the actions before this step; empty if not given.
        following_actions: ids of the actions from this step on; empty if not given.
        action_space: description of the action's numbers; empty if not given.
    """

    instruction: Filling = ""
    state: Sequence[int] = ()
    previous_actions: Sequence[int] = ()
    following_actions: Sequence[int] = ()
    action_space: str = ""


def robot_clauses(item: RobotItem) -> list[str | int]:
    """The clauses of all given fields, in the order of `CLAUSES`."""
    parts: list[str | int] = []
    if len(item.state):
        parts += _clause("state", state=item.state)
    if len(item.previous_actions):
        parts += _clause("previous_actions", actions=item.previous_actions)
    if item.action_space:
        parts += _clause("action_space", action_space=item.action_space)
    if len(item.following_actions):
        parts += _clause("following_actions", actions=item.following_actions)
    return parts


def _clause(name: str, **slots: Filling) -> list[str | int]:
    """A clause; a space precedes it if it begins with text."""
    first, *rest = fill(CLAUSES[name], **slots)
    return [f" {first}" if isinstance(first, str) else first, *rest]

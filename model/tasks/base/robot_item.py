"""What robots are given in prompts: the instruction, and clauses for state, actions and the action space."""

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
"""What may follow a wording, in this order; clauses are always said in the same words."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RobotItem(Annotation):
    """A moment of a robot at work; states and actions are token ids, as the robot's format writes them.

    Attributes:
        instruction: what the robot shall do: text, or texts and ids that refer to images and sounds of the history.
        state: value ids of the present state; empty where it is not given.
        previous_actions: ids of the actions before this moment; empty where they are not given.
        following_actions: ids of the actions from this moment on, where they are given; empty where they are not.
        action_space: what the numbers of an action mean, in words; empty where it is not said.
    """

    instruction: Filling = ""
    state: Sequence[int] = ()
    previous_actions: Sequence[int] = ()
    following_actions: Sequence[int] = ()
    action_space: str = ""


def robot_clauses(item: RobotItem) -> list[str | int]:
    """The clauses of what is given, in the order of `CLAUSES`."""
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
    """A clause, which begins with a space where it begins with text."""
    first, *rest = fill(CLAUSES[name], **slots)
    return [f" {first}" if isinstance(first, str) else first, *rest]

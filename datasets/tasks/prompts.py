"""What tasks say to the model: several wordings of each, and how their slots are filled (paper, section D.10)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from embodio.datasets.errors import DatasetError

Parts = list[str | int]
"""A prompt in parts: texts and token ids (`embodio.model.tokens.vocabulary.Prompt`)."""

_SLOT = re.compile(r"(\{\w+\})")

WORDINGS: Mapping[str, tuple[str, ...]] = {
    "goal_image": (
        "Draw how the scene looks once this is done: {instruction}",
        'The robot has been told "{instruction}". Show the camera picture at the end.',
        "Picture the finished task. Task: {instruction}",
        "What will the robot see after it has completed this task? {instruction}",
    ),
    "sub_goal_image": (
        "Draw the scene a little later, on the way to this: {instruction}",
        'The robot is working on "{instruction}". Show the camera picture of an intermediate step.',
        "Picture the next milestone. Task: {instruction}",
    ),
    "next_frame": (
        "Draw what the camera sees next. Task: {instruction}",
        "Continue the film while the robot does this: {instruction}",
        "Predict the coming view. The robot has been told: {instruction}",
    ),
    "next_frames": (
        "Draw the next {count} views of the camera in rows, left to right. Task: {instruction}",
        "Continue the film by {count} pictures on one sheet, row by row, while the robot does this: {instruction}",
    ),
    "next_state": (
        "Give the state of the robot {count} steps from now. Task: {instruction}",
        "Where will the robot be {count} control steps later? It has been told: {instruction}",
        "Predict the robot's measurements in {count} steps while it does this: {instruction}",
    ),
    "instruction_from_video": (
        "What was the robot told to do?",
        "These pictures show a robot at work. Name its task.",
        "Give the instruction that the robot carries out in this recording.",
        "Watch the robot and say in a few words what it does.",
    ),
    "action_right": (
        'The robot has been told "{instruction}". Is this the right action now? Action: {actions}',
        'Task: "{instruction}". Proposed action: {actions} Does it help, yes or no?',
        "Judge this action: {actions} Would it be correct for the task: {instruction}",
    ),
    "plan": (
        "Give all actions from here to the end. Task: {instruction}",
        "Write down the whole plan of the robot for this task: {instruction}",
        "Which sequence of actions completes this? {instruction}",
    ),
}
"""For each task what may be said; the first is said where nothing is drawn."""

CLAUSES: Mapping[str, str] = {
    "state": " State: {state}",
    "previous_actions": " Actions so far: {actions}",
    "following_actions": " Actions now: {actions}",
    "action_space": " {action_space}",
}
"""What may follow a wording."""


def wording(task: str, generator: np.random.Generator | None) -> str:
    """Draws one of the wordings of a task; None takes the first.

    Raises:
        DatasetError: there are no wordings of that name.
    """
    if task not in WORDINGS:
        raise DatasetError(f"wording {task!r}: there is none; there are {sorted(WORDINGS)}")
    found = WORDINGS[task]
    return found[0] if generator is None else found[int(generator.integers(len(found)))]


def fill(template: str, slots: Mapping[str, str | Sequence[str | int]]) -> Parts:
    """Replaces "{name}" in a template by texts, token ids or both. Braces in what is filled in are left as they are.

    Raises:
        DatasetError: a slot is not given.
    """
    parts: Parts = []
    for piece in _SLOT.split(template):
        if _SLOT.fullmatch(piece) is None:
            parts.append(piece)
            continue
        if piece[1:-1] not in slots:
            raise DatasetError(f"slot {piece} of {template!r} is not given; given are {sorted(slots)}")
        value = slots[piece[1:-1]]
        parts.extend([value] if isinstance(value, str) else [v if isinstance(v, str) else int(v) for v in value])
    return parts


def tidy(parts: Sequence[str | int]) -> Parts:
    """Joins texts that stand side by side, so that they are cut into pieces as one text, and strips their ends."""
    joined: Parts = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    stripped = [part.strip() if isinstance(part, str) else part for part in joined]
    return [part for part in stripped if part != ""]

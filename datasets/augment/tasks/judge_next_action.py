"""Judgements of actions: whether an action is the right one at a step, with that of another step as the wrong one.

A step with the action "forward" becomes the question whether "forward" is right, answered yes, or whether "left" is,
the action of another step, answered no, each in half of the cases.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation, one_of
from embodio.model.tasks.families.judge_action import ActionJudged
from embodio.model.tasks.families.next_action import ActionAhead


def judge_next_action(
    annotations: Sequence[ActionAhead], generator: np.random.Generator, classes: Sequence[str]
) -> ActionJudged | None:
    """The first step's action or a different one of another step; None if there is not a different one."""
    own = annotations[0]
    if own.action is None:
        return None
    wrong = [one.action for one in annotations[1:] if one.action is not None and list(one.action) != list(own.action)]
    if not wrong:
        return None
    right = bool(generator.random() < 0.5)
    action = own.action if right else one_of(wrong, generator)
    return ActionJudged(
        media=own.media,
        instruction=own.instruction,
        state=own.state,
        previous_actions=own.previous_actions,
        action_space=own.action_space,
        actions=action,
        right=right,
    )


AUGMENTATION = TaskAugmentation(takes=("next_action",), make=judge_next_action, gives="judge_action")

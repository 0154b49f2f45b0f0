"""Tasks by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from embodio.datasets.errors import DatasetError
from embodio.datasets.tasks.action_right import ActionRight, ActionRightConfig
from embodio.datasets.tasks.goal_image import GoalImage, GoalImageConfig, SubGoalImageConfig
from embodio.datasets.tasks.instruction_from_video import InstructionFromVideo, InstructionFromVideoConfig
from embodio.datasets.tasks.kept_steps import StepTask
from embodio.datasets.tasks.moment_task import TaskConfig
from embodio.datasets.tasks.next_action import NextAction
from embodio.datasets.tasks.next_frame import NextFrame, NextFrameConfig
from embodio.datasets.tasks.next_state import NextState, NextStateConfig
from embodio.datasets.tasks.plan import Plan, PlanConfig


class NamedTask(NamedTuple):
    """A task and its settings.

    Attributes:
        make: makes the task of a source, a policy format and the numbers of episodes; then comes the config, or for
            NextAction its own settings.
        config: dataclass of the settings; None where `make` takes them one by one.
    """

    make: Callable[..., StepTask]
    config: type[TaskConfig] | None


TASKS: Mapping[str, NamedTask] = {
    "next_action": NamedTask(NextAction, None),
    "goal_image": NamedTask(GoalImage, GoalImageConfig),
    "sub_goal_image": NamedTask(GoalImage, SubGoalImageConfig),
    "next_frame": NamedTask(NextFrame, NextFrameConfig),
    "next_state": NamedTask(NextState, NextStateConfig),
    "instruction_from_video": NamedTask(InstructionFromVideo, InstructionFromVideoConfig),
    "action_right": NamedTask(ActionRight, ActionRightConfig),
    "plan": NamedTask(Plan, PlanConfig),
}


class UnknownTaskError(DatasetError):
    """There is no task of that name; the message lists those that there are."""


def named_task(name: str) -> NamedTask:
    """Finds a task by its name; raises UnknownTaskError."""
    if name not in TASKS:
        raise UnknownTaskError(f"task {name!r}: there is none; there are {', '.join(sorted(TASKS))}")
    return TASKS[name]

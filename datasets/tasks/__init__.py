"""Tasks: how trajectories become Examples."""

from embodio.datasets.episodes.idle_steps import IdleConfig
from embodio.datasets.tasks.inputs import InputConfig
from embodio.datasets.tasks.kept_steps import KeptSteps
from embodio.datasets.tasks.next_action import NextAction
from embodio.datasets.tasks.registry import TASKS, NamedTask, UnknownTaskError, named_task

__all__ = [
    "TASKS",
    "IdleConfig",
    "InputConfig",
    "KeptSteps",
    "NamedTask",
    "NextAction",
    "UnknownTaskError",
    "named_task",
]

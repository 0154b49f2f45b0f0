"""Tasks: how trajectories become Examples."""

from embodio.datasets.tasks.idle_steps import IdleConfig, WithoutIdle
from embodio.datasets.tasks.inputs import InputConfig
from embodio.datasets.tasks.next_action import NextAction
from embodio.datasets.tasks.registry import TASKS, NamedTask, UnknownTaskError, named_task

__all__ = [
    "TASKS",
    "IdleConfig",
    "InputConfig",
    "NamedTask",
    "NextAction",
    "UnknownTaskError",
    "WithoutIdle",
    "named_task",
]

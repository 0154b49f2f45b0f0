"""The tasks of robots, found by listing this folder: how moments of episodes become examples.

A task is one module with the task's name and a class `TASK`, a `MomentTask`; its settings are the keys
`tasks.<name>.*` of a training run. What tasks share is in `parts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embodio.datasets.plug_ins import PlugIns, UnknownPlugInError

if TYPE_CHECKING:
    from embodio.datasets.tasks.parts.moment_task import MomentTask
    from embodio.datasets.tasks.parts.task_config import TaskConfig


class UnknownTaskError(UnknownPlugInError):
    """An unknown task name; the message lists the known ones."""


_TASKS = PlugIns(__name__, "TASK", kind="task", error=UnknownTaskError)


def task_names() -> list[str]:
    """The names of all tasks, in alphabetical order; nothing is imported."""
    return _TASKS.names()


def task_summaries() -> dict[str, str]:
    """Name of a task -> the first sentence of its module; nothing is imported."""
    return _TASKS.summaries()


def named_task(name: str) -> type[MomentTask[Any]]:
    """Imports a task by its name; raises UnknownTaskError."""
    task: type[MomentTask[Any]] = _TASKS.named(name)
    return task


def task_settings(name: str) -> type[TaskConfig]:
    """The dataclass of a task's settings; raises UnknownTaskError."""
    return named_task(name).settings

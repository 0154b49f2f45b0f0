"""The tasks of robots, found by listing this folder: how moments of episodes become examples.

A task is one module with a class `TASK`, a `MomentTask`; its settings are the keys `tasks.<name>.*` of a training run.
What tasks share lies in `parts`.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from embodio.datasets.errors import DatasetError
from embodio.datasets.tasks.parts.moment_task import MomentTask, TaskConfig


class UnknownTaskError(DatasetError):
    """A name that no task has; the message lists those that there are."""


@lru_cache(maxsize=1)
def robot_tasks() -> Mapping[str, type[MomentTask[Any]]]:
    """Name -> task, in alphabetical order."""
    modules = [module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg]
    found = [importlib.import_module(f"{__name__}.{module}").TASK for module in modules]
    return {task.name: task for task in sorted(found, key=lambda task: str(task.name))}


def task_settings() -> Mapping[str, type[TaskConfig]]:
    """Name of a task -> the dataclass of its settings."""
    return {name: task.settings for name, task in robot_tasks().items()}


def named_task(name: str) -> type[MomentTask[Any]]:
    """Finds a task by its name; raises UnknownTaskError."""
    known = robot_tasks()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise UnknownTaskError(f"tasks: no task {name!r}; {meant}There are {', '.join(known)}")
    return known[name]

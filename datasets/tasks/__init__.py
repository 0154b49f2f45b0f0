"""The tasks of robots, found by listing this folder: how moments of episodes become examples.

A task is one module with the task's name and a class `TASK`, a `MomentTask`; its settings are the keys
`tasks.<name>.*` of a training run. What tasks share is in `parts`.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embodio.datasets.errors import DatasetError

if TYPE_CHECKING:
    from embodio.datasets.tasks.parts.moment_task import MomentTask
    from embodio.datasets.tasks.parts.task_config import TaskConfig


class UnknownTaskError(DatasetError):
    """An unknown task name; the message lists the known ones."""


def task_names() -> list[str]:
    """The names of all tasks, in alphabetical order; nothing is imported."""
    return sorted(name for name, _ in _modules())


def task_summaries() -> dict[str, str]:
    """Name of a task -> the first sentence of its module; nothing is imported."""
    found = {}
    for name, file in _modules():
        text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        found[name] = text.partition("\n\n")[0].replace("\n", " ").partition(": ")[2]
    return dict(sorted(found.items()))


def named_task(name: str) -> type[MomentTask[Any]]:
    """Imports a task by its name; raises UnknownTaskError."""
    known = task_names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise UnknownTaskError(f"tasks: no task {name!r}; {meant}There are {', '.join(known)}")
    module = importlib.import_module(f"{__name__}.{name}")
    task: type[MomentTask[Any]] | None = getattr(module, "TASK", None)
    if task is None:
        raise DatasetError(f"{module.__file__}: a module of tasks needs TASK = a subclass of MomentTask")
    return task


def task_settings(name: str) -> type[TaskConfig]:
    """The dataclass of a task's settings; raises UnknownTaskError."""
    return named_task(name).settings


def _modules() -> Iterator[tuple[str, Path]]:
    """Name and file of each task."""
    for module in pkgutil.iter_modules(__path__):
        if not module.ispkg:
            yield module.name, Path(getattr(module.module_finder, "path", "")) / f"{module.name}.py"

"""The robosuite tasks, found by listing this folder.

A task is one module with an instance `TASK` of `RobosuiteTask`; the name of the module is the name of the task.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

from embodio.envs.policy import Policy
from embodio.envs.robosuite.task import RobosuiteTask


class _ListedTasks(Mapping[str, RobosuiteTask]):
    """Name -> task; names are listed on every access, and a module is imported when its task is requested."""

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(module.name for module in pkgutil.iter_modules(__path__)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, name: str) -> RobosuiteTask:
        if name not in list(self):
            raise KeyError(name)
        task: RobosuiteTask = importlib.import_module(f"{__name__}.{name}").TASK
        return task


TASKS: Mapping[str, RobosuiteTask] = _ListedTasks()


def expert_of(env: Any) -> Policy:
    """The scripted expert of the task of a `RobosuiteEnv`."""
    expert: Policy = env.task.expert(env)
    return expert

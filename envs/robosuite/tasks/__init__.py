"""The robosuite tasks, found by listing this folder.

A task is one module with an instance `TASK` of `RobosuiteTask`; the name of the module is the name of the task.
"""

from __future__ import annotations

from collections.abc import Mapping

from embodio.envs.listed_modules import ListedModules
from embodio.envs.robosuite.task import RobosuiteTask

TASKS: Mapping[str, RobosuiteTask] = ListedModules(__name__, "TASK")

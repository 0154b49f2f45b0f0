"""The robosuite tasks, found by listing this folder.

A task is one module with an instance `TASK` of `RobosuiteTask`; the name of the module is the name of the task.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from embodio.envs.listed_modules import ListedModules
from embodio.envs.policy import Policy
from embodio.envs.robosuite.task import RobosuiteTask

TASKS: Mapping[str, RobosuiteTask] = ListedModules(__name__, "TASK")


def expert_of(env: Any) -> Policy:
    """The scripted expert of the task of a `RobosuiteEnv`."""
    expert: Policy = env.task.expert(env)
    return expert

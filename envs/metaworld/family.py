"""The environments metaworld/TASK, metaworld/mt10 and metaworld/mt50, each also with other wordings."""

from __future__ import annotations

from typing import get_args

from embodio.envs.family import EnvEntry
from embodio.envs.metaworld.simulator import SIMULATOR
from embodio.envs.metaworld.tasks import SUITES, TASKS, WORDINGS, Difficulty


def entries() -> dict[str, EnvEntry]:
    """Name -> entry: FAMILY/TASK with the standard wording, FAMILY/TASK/WORDING with another."""
    standard, *others = WORDINGS
    ordered = sorted(TASKS, key=lambda task: get_args(Difficulty).index(TASKS[task].difficulty))
    groups = {task: TASKS[task].difficulty.replace("_", " ") for task in ordered}
    found: dict[str, EnvEntry] = {}
    for task in (*SUITES, *TASKS):
        for wording in ("", *others):
            found[f"metaworld/{task}/{wording}" if wording else f"metaworld/{task}"] = EnvEntry(
                gymnasium_id=f"embodio/metaworld-{task}{f'-{wording}' if wording else ''}-v0",
                env="embodio.envs.metaworld.env:MetaworldEnv",
                kwargs={"task": task, "wording": wording or standard},
                expert="embodio.envs.metaworld.expert:ScriptedExpert",
                embodiment="embodio.envs.metaworld.robot:sawyer_xyz",
                simulator=SIMULATOR,
                task_groups=groups if task in SUITES else {},
            )
    return found

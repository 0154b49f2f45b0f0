"""The environments aloha/TASK."""

from __future__ import annotations

from embodio.envs.aloha.env import SIMULATOR, TASKS
from embodio.envs.family import EnvEntry


def entries() -> dict[str, EnvEntry]:
    """Name -> entry."""
    return {
        f"aloha/{task}": EnvEntry(
            gymnasium_id=f"embodio/aloha-{task}-v0",
            env="embodio.envs.aloha.env:AlohaEnv",
            kwargs={"task": task},
            embodiment="embodio.envs.aloha.env:two_arms",
            simulator=SIMULATOR,
        )
        for task in TASKS
    }

"""The environments babyai/LEVEL, with an expert, and minigrid/TASK."""

from __future__ import annotations

from embodio.envs.family import EnvEntry
from embodio.envs.minigrid.env import SIMULATOR
from embodio.envs.minigrid.tasks import TASKS


def entries() -> dict[str, EnvEntry]:
    """Name -> entry."""
    return {
        task: EnvEntry(
            gymnasium_id=f"embodio/{task.replace('/', '-')}-v0",
            env="embodio.envs.minigrid.env:MinigridEnv",
            kwargs={"task": task},
            expert="embodio.envs.minigrid.bot:GridBot" if task.startswith("babyai/") else None,
            embodiment="embodio.envs.minigrid.env:grid_agent",
            simulator=SIMULATOR,
        )
        for task in TASKS
    }

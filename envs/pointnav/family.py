"""The environments pointnav/MAP."""

from __future__ import annotations

from embodio.envs.family import EnvEntry
from embodio.envs.minigrid.env import SIMULATOR
from embodio.envs.pointnav.env import MAPS


def entries() -> dict[str, EnvEntry]:
    """Name -> entry."""
    return {
        f"pointnav/{name}": EnvEntry(
            gymnasium_id=f"embodio/pointnav-{name}-v0",
            env="embodio.envs.pointnav.env:PointNavEnv",
            kwargs={"task": name},
            expert="embodio.envs.pointnav.expert:ShortestPath",
            embodiment="embodio.envs.pointnav.robot:pointnav_agent",
            simulator=SIMULATOR,
        )
        for name in MAPS
    }

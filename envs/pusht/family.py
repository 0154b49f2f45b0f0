"""The environment pusht/push_t."""

from __future__ import annotations

from embodio.envs.family import EnvEntry
from embodio.envs.pusht.env import SIMULATOR


def entries() -> dict[str, EnvEntry]:
    """Name -> entry."""
    entry = EnvEntry(
        gymnasium_id="embodio/pusht-push_t-v0",
        env="embodio.envs.pusht.env:PushtEnv",
        kwargs={},
        embodiment="embodio.envs.pusht.env:pushing_finger",
        simulator=SIMULATOR,
    )
    return {"pusht/push_t": entry}

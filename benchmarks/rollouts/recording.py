"""Keeps the episodes of a rollout as an RLDS data set, resumed together with the rollout."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from embodio.benchmarks.rollouts.player import Player
from embodio.datasets.recording.collection_store import CollectionStore
from embodio.datasets.recording.recording import RecordingSettings


@contextlib.contextmanager
def recording(
    folder: Path, identity: Mapping[str, Any], player: Player, agent: Mapping[str, Any], console: Console
) -> Iterator[None]:
    """While this is open, players stage episodes in `folder`; then all of them become one data set.

    Args:
        folder: of the data set; the caller holds its lock.
        identity: the settings of the rollout that decide how an episode goes.
        player: knows the robot, and whether its instructions hold more than words.
        agent: what identifies the agent.
        console: where the result is told.

    Raises:
        CollectionMismatch: the folder holds a recording of other settings or another agent.
        CollectionError: it holds something else.
    """
    options = {name: value for name, value in identity.items() if name not in ("env", "agent", "seed")}
    options["weights"] = dict(agent.get("sha256") or {})
    settings = RecordingSettings(
        environment=str(identity["env"]),
        agent=str(identity["agent"]),
        seed=int(identity["seed"]),
        options=options,
        embodiment=player.embodiment.to_dict(),
        prompts=player.prompts,
    )
    store = CollectionStore(folder, settings)
    try:
        yield
    finally:
        store.assemble()
        count = len(store.published())
        console.print(f"Data set: {folder.resolve()}, {count} episodes", soft_wrap=True)

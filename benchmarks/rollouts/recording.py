"""Recording of a rollout's episodes as an RLDS data set, resumed together with the rollout."""

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
    """A context in which players stage episodes in `folder`; on leaving, they become one data set.

    Args:
        folder: The data set's; the caller holds its lock.
        identity: The settings of the rollout that decide how an episode goes.
        player: Knows the robot, and whether its instructions hold more than words.
        agent: What identifies the agent.
        console: Where the result is printed.

    Raises:
        CollectionMismatch: The folder holds a recording with other settings or of another agent.
        CollectionError: It holds something else.
    """
    own = ("env", "agent", "seed", "shard", "episodes")
    options = {name: value for name, value in identity.items() if name not in own}
    options["weights"] = dict(agent.get("sha256") or {})
    settings = RecordingSettings(
        environment=str(identity["env"]),
        agent=str(identity["agent"]),
        seed=int(identity["seed"]),
        options=options,
        embodiment=player.embodiment.to_dict(),
        prompts=player.prompts,
        shard=str(identity.get("shard", "")),
        episodes=int(identity.get("episodes") or 0),
    )
    store = CollectionStore(folder, settings)
    try:
        yield
    finally:
        store.assemble()
        count = len(store.published())
        console.print(f"Data set: {folder.resolve()}, {count} episodes", soft_wrap=True)

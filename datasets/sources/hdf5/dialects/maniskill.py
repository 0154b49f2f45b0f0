"""ManiSkill: traj_0/{actions, obs}, with one more observation than actions, and a JSON file of the same name."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from embodio.datasets.sources.hdf5.dialect import Dialect, number_of, numbered, rows_of

_EPISODE = r"traj_\d+"
_RENAMED = {"obs": "observation/state", "actions": "action", "rewards": "reward", "terminated": "is_terminal"}
_CAMERAS = ("sensor_data/", "image/")
_PICTURES = ("rgb", "Color")


def _field(name: str) -> str | None:
    top, _, below = name.partition("/")
    if top == "actions" and below:
        return f"action/{below}"
    if top != "obs" or not below:
        return _RENAMED.get(name, name)
    for folder in _CAMERAS:
        if below.startswith(folder):
            camera, _, kind = below.removeprefix(folder).partition("/")
            return f"observation/{camera}" if kind in _PICTURES else f"observation/{camera}_{kind}"
    return f"observation/{below}"


def _facts(file: Any, path: Path, episode: str) -> dict[str, Any]:
    """Facts from the JSON file on an episode, and on the origin of all of them."""
    side = path.with_suffix(".json")
    try:
        status = side.stat()
    except OSError:
        return {}
    content = _side_file(side, status.st_mtime_ns, status.st_size)
    common = {key: content[key] for key in ("source_type", "source_desc") if isinstance(content.get(key), str)}
    number = number_of(episode)[1]
    episodes = content.get("episodes")
    own = (one for one in episodes if isinstance(one, dict) and one.get("episode_id") == number) if episodes else ()
    return common | next(iter(own), {})


@lru_cache(maxsize=64)
def _side_file(path: Path, changed: int, size: int) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    content: dict[str, Any] = found if isinstance(found, dict) else {}
    return content | {"episodes": content["episodes"] if isinstance(content.get("episodes"), list) else []}


DIALECT = Dialect(
    "ManiSkill",
    "traj_0/actions",
    lambda file: bool(numbered(file, _EPISODE)),
    lambda file: numbered(file, _EPISODE),
    _field,
    length=lambda group: rows_of(group["actions"]),
    one_more=("obs", "env_states"),
    facts=_facts,
    rank=1,
)

"""Minari: episode_0/{observations, actions, rewards, terminations}, with one more observation than actions."""

from __future__ import annotations

from typing import Any

from embodio.datasets.sources.hdf5.dialect import Dialect, numbered, rows_of

_EPISODE = r"episode_\d+"
_RENAMED = {
    "observations": "observation/state",
    "actions": "action",
    "rewards": "reward",
    "terminations": "is_terminal",
    "truncations": "truncation",
}


def _holds(file: Any) -> bool:
    return any("actions" in file[name] and "observations" in file[name] for name in numbered(file, _EPISODE)[:8])


def _field(name: str) -> str | None:
    top, _, below = name.partition("/")
    if below and top in ("observations", "actions"):
        return f"{top.removesuffix('s')}/{below}"
    return _RENAMED.get(name, name)


DIALECT = Dialect(
    "Minari",
    "episode_0/actions and observations",
    _holds,
    lambda file: numbered(file, _EPISODE),
    _field,
    length=lambda group: rows_of(group["actions"]),
    one_more=("observations", "infos"),
    rank=2,
)

"""robomimic and its relatives (robosuite, LIBERO, RoboCasa, MimicGen, Isaac Lab Mimic): data/demo_0/{actions, obs}."""

from __future__ import annotations

from typing import Any

from embodio.datasets.sources.hdf5.dialect import Dialect, is_group, number_of, parsed, rows_of

_RENAMED = {"actions": "action", "rewards": "reward", "dones": "is_terminal"}


def _holds(file: Any) -> bool:
    return is_group(file.get("data"))


def _episodes(file: Any) -> list[str]:
    names = (name for name in file["data"] if is_group(file["data"].get(name)))
    return [f"data/{name}" for name in sorted(names, key=number_of)]


def _field(name: str) -> str | None:
    top, _, below = name.partition("/")
    if top == "next_obs":  # repeats obs
        return None
    return f"observation/{below}" if top == "obs" and below else _RENAMED.get(name, name)


def _masks(file: Any) -> dict[str, frozenset[str]]:
    masks = file.get("mask")
    if not is_group(masks):
        return {}
    return {key: frozenset(_text(value) for value in masks[key][:]) for key in masks if hasattr(masks[key], "dtype")}


def _refused(file: Any) -> str:
    for name in _episodes(file)[:1]:
        group = file[name]
        if "obs" not in group and hasattr(group.get("states"), "dtype"):
            return (
                "holds states of the simulator and no observations, as robosuite records demonstrations. Let "
                "robomimic's dataset_states_to_obs.py play them and write what the cameras see, then give that file"
            )
    return ""


def _text(value: Any) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


DIALECT = Dialect(
    "robomimic",
    "data/demo_0/actions",
    _holds,
    _episodes,
    _field,
    length=lambda group: rows_of(group["actions"]),
    masks=_masks,
    environment=lambda file: parsed(file["data"].attrs.get("env_args")),
    refused=_refused,
)

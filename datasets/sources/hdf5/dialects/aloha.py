"""ALOHA and ACT: one file per episode, with /action, /observations/qpos and /observations/images/<camera>.

Where the attribute `compress` is set, images are JPEGs padded with zeros to one length. The recorder hands RGB frames
to OpenCV, which expects BGR, and its readers undo that; so red and blue are swapped in the JPEG itself.
"""

from __future__ import annotations

from typing import Any

from embodio.datasets.sources.hdf5.dialect import Dialect, is_group, rows_of

_ACTIONS = ("action", "actions")
_OBSERVATIONS = ("observations", "observation", "obs")
_RENAMED = {"actions": "action", "rewards": "reward", "dones": "is_terminal"}
_LENGTHS = "compress_len"  # of each padded JPEG, which ends by itself


def _holds(file: Any) -> bool:
    return any(name in file for name in _ACTIONS) and any(is_group(file.get(name)) for name in _OBSERVATIONS)


def _field(name: str) -> str | None:
    top, _, below = name.partition("/")
    if name == _LENGTHS:
        return None
    if top in _OBSERVATIONS and below:
        return f"observation/{below.removeprefix('images/')}"
    return _RENAMED.get(name, name)


def _length(file: Any) -> int:
    return rows_of(file[next((name for name in _ACTIONS if name in file), _ACTIONS[0])])


DIALECT = Dialect(
    "ALOHA",
    "action and observations/qpos, one episode a file",
    _holds,
    lambda file: [""],
    _field,
    _length,
    swapped=lambda file: bool(file.attrs.get("compress", False)),
    rank=5,
)

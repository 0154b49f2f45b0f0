"""A proposed embodiment for a data set without one: facts from its files, and guesses where they are silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.episodes.dimension_names import names_in_files
from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError
from embodio.datasets.sources.description import FieldPart
from embodio.datasets.sources.guesses import key_of

_EPISODES = 5  # looked at for ranges
_HZ = 10.0
_ARM = ("x", "y", "z", "rx", "ry", "rz")


@dataclass
class Guess:
    """A proposed embodiment, as written in a YAML file.

    Attributes:
        data: the keys and values.
        notes: key of the YAML file that the data leaves open ("embodiment.action.mode") -> the guess.
    """

    data: dict[str, Any]
    notes: dict[str, str] = field(default_factory=dict)


def guess_embodiment(source: EpisodeSource, action: list[str], state: list[str]) -> Guess:
    """Proposes the embodiment of a source.

    Args:
        source: opened without a description.
        action: the fields that make the action, joined.
        state: the fields that make the state, joined.
    """
    try:
        unconfirmed = dict.fromkeys(map(key_of, source.embodiment.guessed), "guessed earlier, and not confirmed since")
        return Guess(_known(source), unconfirmed)
    except DatasetError:
        pass
    seen = _seen(source, action)
    guess = Guess({"name": str(getattr(source, "robot", "") or source.name)})
    guess.data["control_hz"] = _rate(source, guess.notes)
    spec = _spec(source, seen, guess.notes)
    names = _names(source, action, seen.shape[1])
    spec["dimensions"] = [_row(name, column) for name, column in zip(names, seen.T, strict=True)]
    if spec["gripper"] != "none":
        spec["dimensions"][-1][0] = "gripper"
        spec["dimensions"][-1] += ["binary"] if len(np.unique(seen[:, -1])) <= 2 else []
    guess.data["action"] = spec
    watched = _seen(source, state)
    guess.data["state"] = [
        _row(name, column) for name, column in zip(_names(source, state, watched.shape[1]), watched.T, strict=True)
    ]
    if _environment(source):
        guess.data["flipped"] = []
        guess.notes["embodiment.flipped"] = "no camera; robomimic writes images upright, robosuite upside down"
    for key in ("embodiment.action.dimensions", *(["embodiment.state"] if state else [])):
        guess.notes[key] = "bounds are those of the first episodes, units are not known"
    return guess


def _known(source: EpisodeSource) -> dict[str, Any]:
    known = source.embodiment.to_dict()
    action = {key: value for key, value in known["action"].items() if key != "dimensions"}
    return {
        "name": known["name"],
        "control_hz": known["control_hz"],
        "action": {**action, "dimensions": _rows(known["action"]["dimensions"])},
        "state": _rows(known["state"]),
        "flipped": [camera["name"] for camera in known["cameras"] if camera["orientation"] == "flipped"],
        **({"microphone": known["microphone"]} if known["microphone"] else {}),
    }


def _rows(dimensions: list[dict[str, Any]]) -> list[list[Any]]:
    keys = ("name", "unit", "low", "high", "kind")
    return [[*(row[key] for key in keys), *([row["words"]] if row.get("words") else [])] for row in dimensions]


def _rate(source: EpisodeSource, notes: dict[str, str]) -> float:
    rate = getattr(source, "fps", None) or _environment(source).get("control_freq")
    if isinstance(rate, int | float) and rate > 0:
        return float(rate)
    notes["embodiment.control_hz"] = f"{_HZ:g}; the files do not tell it"
    return _HZ


def _environment(source: EpisodeSource) -> Mapping[str, Any]:
    """The arguments with which an HDF5 file's environment was made."""
    arguments = getattr(source, "environment", {}).get("env_kwargs")
    return arguments if isinstance(arguments, dict) else {}


def _controller(source: EpisodeSource) -> Mapping[str, Any]:
    """The arm's controller in robosuite's words; those of version 1.5 are one level down."""
    found = _environment(source).get("controller_configs")
    found = found[0] if isinstance(found, list) and found else found
    parts = found.get("body_parts") if isinstance(found, dict) else None
    if isinstance(parts, dict) and parts:
        found = parts.get("right") or next(iter(parts.values()))
    return found if isinstance(found, dict) else {}


def _spec(source: EpisodeSource, seen: npt.NDArray[np.float64], notes: dict[str, str]) -> dict[str, Any]:
    """The meaning of the action, without its dimensions."""
    controller = _controller(source)
    size = seen.shape[1]
    if controller.get("type") in ("OSC_POSE", "OSC_POSITION"):
        delta = controller.get("control_delta", controller.get("input_type", "delta") == "delta")
        rotation = "axis_angle" if controller["type"] == "OSC_POSE" else "none"
        return {
            "mode": "delta" if delta else "absolute",
            "frame": "base",
            "rotation": rotation,
            "gripper": "closed_is_high" if size in (4, 7) else "none",
            "controller": f"robosuite {controller['type']}",
        }
    signs = bool(size) and bool((seen.min(axis=0) < 0).any() and (np.abs(seen.mean(axis=0)) < seen.std(axis=0)).any())
    found = {
        "mode": "delta" if signs else "absolute",
        "frame": "base",
        "rotation": {6: "euler_xyz", 7: "euler_xyz", 8: "quaternion"}.get(size, "none"),
        "gripper": "closed_is_high" if size and len(np.unique(seen[:, -1])) == 2 else "none",
        "controller": "unknown",
    }
    notes |= {f"embodiment.action.{key}": f"{value}; the files do not tell it" for key, value in found.items()}
    return found


def _seen(source: EpisodeSource, fields: list[str]) -> npt.NDArray[np.float64]:
    """The joined numbers of the first episodes that can be read, finite ones, float64 [N, D]."""
    found: list[npt.NDArray[np.float64]] = []
    for index in range(min(_EPISODES, len(source)) if fields else 0):
        try:
            episode = source.episode(index)
            if not len(episode):
                continue
            parts = [FieldPart.parse(text, "field") for text in fields]
            columns = [episode.array(part.path).reshape(len(episode), -1)[:, part.first : part.last] for part in parts]
        except (CorruptRecordError, FeatureError):
            continue
        found.append(np.concatenate(columns, axis=1).astype(np.float64))
    if not found:
        return np.zeros((1, 0))
    values = np.concatenate(found)
    finite = values[np.isfinite(values).all(axis=1)]
    return finite if len(finite) else np.zeros((1, values.shape[1]))


def _names(source: EpisodeSource, fields: list[str], size: int) -> list[str]:
    names = names_in_files(source, fields[0], size) if len(fields) == 1 else ()
    if names:
        return list(names)
    if fields == ["action"] and size in (6, 7):
        return [*_ARM, "gripper"][:size]
    prefix = fields[0].rpartition("/")[2] if len(fields) == 1 else "number"
    return [f"{prefix}_{number}" for number in range(size)]


def _row(name: str, values: npt.NDArray[np.float64]) -> list[Any]:
    """Name, unit and bounds: -1 to 1 if numbers fill that range, else the observed range and a tenth more."""
    low, high = float(values.min()), float(values.max())
    if -1 <= low <= high <= 1 and max(-low, high) > 0.5:
        return [name, "", -1.0, 1.0]
    more = max((high - low) / 10, 1e-3)
    return [name, "", round(low - more, 4), round(high + more, 4)]

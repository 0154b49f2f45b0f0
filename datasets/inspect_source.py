"""A proposal of the YAML file for a data set that nobody has described yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from embodio.datasets.errors import DatasetError
from embodio.datasets.rlds.features import Feature, ImageFeature, TensorFeature, TextFeature
from embodio.datasets.rlds.remote import is_url
from embodio.datasets.source import EpisodeSource
from embodio.datasets.sources.feature_text import format_features
from embodio.datasets.sources.opening import layout_of

_UNKNOWN = "FILL IN"
_STATES = ("state", "proprio", "robot_state")


def propose(source: EpisodeSource, path: str | Path) -> str:
    """Writes the YAML of a data set as far as its files tell, with `FILL IN` where only a person can know.

    Args:
        source: opened without a description.
        path: of its files.

    Returns:
        The text of a YAML file; it is refused until every `FILL IN` is replaced.
    """
    kind, folder = ("rlds", str(path)) if is_url(path) else (layout_of(Path(path)), str(Path(path).resolve()))
    steps = source.features.steps
    data: dict[str, Any] = {"name": source.name, "kind": kind, "folder": folder}
    cameras = [name for name, feature in steps.items() if isinstance(feature, ImageFeature)]
    data["observation"] = {name.rpartition("/")[2]: name for name in cameras}
    state = _state(steps)
    if state:
        data["observation"]["state"] = state
    action = _action(steps)
    data["action"] = action or [_UNKNOWN]
    texts = [name for name, feature in steps.items() if isinstance(feature, TextFeature) and "instruction" in name]
    data["instruction"] = {"keys": texts} if texts else {"text": _UNKNOWN}
    data["embodiment"] = _robot(source, action, state)
    data["features"] = {key: value for key, value in format_features(source.features).items() if value}
    body = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    return f"# embodio-data inspect source={source.name}.yaml\n# Replace every {_UNKNOWN}.\n{body}"


def _state(steps: dict[str, Feature] | Any) -> list[str]:
    named = [f"observation/{name}" for name in _STATES if _is_vector(steps.get(f"observation/{name}"))]
    return named[:1]


def _action(steps: Any) -> list[str]:
    if _is_vector(steps.get("action")):
        return ["action"]
    parts = [name for name, feature in steps.items() if name.startswith("action/") and _is_numeric(feature)]
    return [name for name in parts if "terminate" not in name]


def _is_vector(feature: Feature | None) -> bool:
    return isinstance(feature, TensorFeature) and len(feature.shape) == 1


def _is_numeric(feature: Feature | None) -> bool:
    return isinstance(feature, TensorFeature) and len(feature.shape) <= 1


def _robot(source: EpisodeSource, action: list[str], state: list[str]) -> dict[str, Any]:
    try:
        known = source.embodiment.to_dict()
        rows = {
            key: _rows(known[key] if key == "state" else known["action"]["dimensions"]) for key in ("state", "action")
        }
        spec = {key: value for key, value in known["action"].items() if key != "dimensions"}
        return {
            "name": known["name"],
            "control_hz": known["control_hz"],
            "action": {**spec, "dimensions": rows["action"]},
            "state": rows["state"],
        }
    except DatasetError:
        fixed = dict.fromkeys(("mode", "frame", "rotation", "gripper", "controller"), _UNKNOWN)
        return {
            "name": _UNKNOWN,
            "control_hz": _UNKNOWN,
            "action": {**fixed, "dimensions": _ranges(source, action)},
            "state": _ranges(source, state),
        }


def _rows(dimensions: list[dict[str, Any]]) -> list[list[Any]]:
    return [[row["name"], row["unit"], row["low"], row["high"], row["kind"]] for row in dimensions]


def _ranges(source: EpisodeSource, paths: list[str]) -> list[list[Any]]:
    """One row for each number, with the range in the first episode for orientation."""
    episode = source.episode(0)
    rows: list[list[Any]] = []
    for path in paths:
        values = np.asarray(episode.array(path), np.float64).reshape(len(episode), -1)
        for number, (low, high) in enumerate(zip(values.min(axis=0), values.max(axis=0), strict=True)):
            ends = [round(float(low), 4), round(float(max(high, low + 1e-3)), 4)]
            rows.append([f"{path.rpartition('/')[2]}_{number}", _UNKNOWN, *ends])
    return rows

"""The comparison of a run's settings with those it is asked to go on with."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

from embodio.train.config import FREE_ON_RESUME, MOVABLE, TrainConfig


def setting_differences(old: Mapping[str, Any], config: TrainConfig) -> list[str]:
    """A line for each setting that differs and changes what the run computes; more `steps` than before do not.

    Args:
        old: the settings of the run as its checkpoint has them.
        config: what was asked for.
    """
    filled = _with_defaults(old, config)
    before, now = json.loads(json.dumps(filled)), json.loads(json.dumps(dataclasses.asdict(config)))
    if isinstance(before.get("steps"), int) and before["steps"] < now["steps"]:
        before["steps"] = now["steps"]
    return list(_differences(before, now, ""))


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key in sorted(set(old) | set(new)):
        name = f"{prefix}{key}"
        if name in FREE_ON_RESUME or (prefix.startswith("sources.") and key in MOVABLE):
            continue
        if isinstance(old.get(key), dict) and isinstance(new.get(key), dict):
            yield from _differences(old[key], new[key], f"{name}.")
        elif old.get(key) != new.get(key):
            yield f"{name}={old.get(key)!r}, but {name}={new.get(key)!r} was asked for"


def _filled_up(saved: Mapping[str, Any], value: Any) -> Mapping[str, Any]:
    """Saved settings of a dataclass, or of a mapping to dataclasses, with the defaults of what did not exist yet."""
    if dataclasses.is_dataclass(value):
        return _with_defaults(saved, value)
    if not isinstance(value, Mapping):
        return saved
    return {
        name: _filled_up(values, value.get(name)) if isinstance(values, dict) else values
        for name, values in saved.items()
    }


def _with_defaults(saved: Mapping[str, Any], config: Any) -> dict[str, Any]:
    """Saved settings, with the default for each that did not exist yet: a new setting's default changes nothing."""
    filled = dict(saved)
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.name in saved:
            if isinstance(saved[field.name], dict):
                filled[field.name] = _filled_up(saved[field.name], value)
        elif field.default is not dataclasses.MISSING:
            filled[field.name] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            default: Any = field.default_factory()
            is_plain = isinstance(default, type) or not dataclasses.is_dataclass(default)
            filled[field.name] = default if is_plain else dataclasses.asdict(default)
    return filled

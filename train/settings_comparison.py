"""The comparison of a run's settings with those it is asked to go on with."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from embodio.train.run_config import RunConfig


def setting_differences(old: Mapping[str, Any], config: RunConfig) -> list[str]:
    """A line for each setting that differs and changes what the run computes; more `steps` than before do not.

    Args:
        old: the settings of the run as its checkpoint has them.
        config: what was asked for.
    """
    filled = _with_defaults(old, config)
    before, now = json.loads(json.dumps(filled)), json.loads(json.dumps(dataclasses.asdict(config)))
    if isinstance(before.get("steps"), int) and before["steps"] < now["steps"]:
        before["steps"] = now["steps"]
    lines = _differences(before, now, "")
    return [line for name, line in lines if not any(fnmatchcase(name, free) for free in config.free_on_resume)]


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key in sorted(set(old) | set(new)):
        name = f"{prefix}{key}"
        if isinstance(old.get(key), dict) and isinstance(new.get(key), dict):
            yield from _differences(old[key], new[key], f"{name}.")
        elif old.get(key) != new.get(key):
            yield name, f"{name}={old.get(key)!r}, but {name}={new.get(key)!r} was asked for"


def _with_defaults(saved: Mapping[str, Any], config: Any) -> dict[str, Any]:
    """Saved settings, with the default for each that did not exist yet: a new setting's default changes nothing."""
    filled = dict(saved)
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.name in saved:
            if dataclasses.is_dataclass(value) and isinstance(saved[field.name], dict):
                filled[field.name] = _with_defaults(saved[field.name], value)
        elif field.default is not dataclasses.MISSING:
            filled[field.name] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            default: Any = field.default_factory()
            is_plain = isinstance(default, type) or not dataclasses.is_dataclass(default)
            filled[field.name] = default if is_plain else dataclasses.asdict(default)
    return filled

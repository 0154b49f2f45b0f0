"""The identity of a run: its inputs and settings, written into its checkpoint and compared when it resumes."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import nn

from embodio.datasets.episodes.digests import DIGITS
from embodio.model.config.model import ModelConfig
from embodio.model.network.network import UnifiedIO2
from embodio.train.errors import ResumeError
from embodio.train.run_config import RunConfig

Identity = Mapping[str, Any]
"""Plain JSON values by name. Four names have a meaning: `sources` (name of a data set -> what it is), `init` (sha256
of the run's initial weights, "" if unknown), `libraries` (name -> version) and `network` (its configuration)."""

_NETWORK = "network"

_MOST_SHOWN = 20
_LONGEST_VALUE = 120
_ABSENT = "<absent>"
_SPECIAL = ("sources", "init", "libraries")


def libraries() -> dict[str, str]:
    """Name -> version of the libraries that decide the last bits of a run's numbers."""
    return {name: version(name) for name in ("numpy", "torch")}


def architecture(model: nn.Module) -> Identity:
    """The "network" of an identity: the configuration of the network that a run trains, or trains something around."""
    network = getattr(model, "network", model)
    return {_NETWORK: network.config.to_dict()} if isinstance(network, UnifiedIO2) else {}


def with_later_fields(identity: Identity) -> Identity:
    """An identity from a file, with what its network's configuration lacks as it meant it at that time."""
    if _NETWORK not in identity:
        return identity
    return {**identity, _NETWORK: ModelConfig.from_dict(identity[_NETWORK]).to_dict()}


def require_same_inputs(folder: Path, old: Identity, new: Identity, settings: Sequence[str] = ()) -> None:
    """Refuses to resume a run whose inputs have changed.

    Args:
        folder: of the checkpoint.
        old: the checkpoint's identity; parts that it lacks are not compared.
        new: the current identity.
        settings: differences in the settings, one line each.

    Raises:
        ResumeError: names each field that differs, and how to start a new run from these weights.

    Warns:
        UserWarning: a library is of another version, so that the numbers may differ in their last bits.
    """
    lines = [*settings, *differences(old, new)]
    if not lines:
        if others := other_libraries(old, new):
            warnings.warn(f"{folder}: {', '.join(others)}; the run goes on, but not to the same bits", stacklevel=4)
        return
    shown = "\n  ".join(lines[:_MOST_SHOWN])
    rest = f"\n  and {len(lines) - _MOST_SHOWN} more" if len(lines) > _MOST_SHOWN else ""
    raise ResumeError(
        f"{folder} holds a run that began with something else:\n  {shown}{rest}\nAsk for the same again to go on with "
        f"it; or start a new run from its weights: init={folder} and another out="
    )


def differences(old: Identity, new: Identity) -> list[str]:
    """The differences between two identities, one line per field, except for `libraries`."""
    lines: list[str] = []
    for key in [key for key in old if key not in _SPECIAL]:
        lines += _fields(key, old[key], new.get(key, _ABSENT))
    if old.get("init") and new.get("init") and old["init"] != new["init"]:
        lines.append(f"init: its weights were {_short(old['init'])}, are {_short(new['init'])}; leave init= out")
    return [*lines, *_sources(old["sources"], new.get("sources", {}))] if "sources" in old else lines


def _sources(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    same_data = all(_same_episodes(old.get(name), source) for name, source in new.items())
    for name in [*old, *(name for name in new if name not in old)]:
        before, now = old.get(name), new.get(name)
        if before is None or now is None:
            yield f"sources.{name}: {'is new' if before is None else 'is no longer there'}"
            continue
        for line in _source_differences(before, now, with_statistics=same_data):
            yield f"sources.{name}.{line}"


def other_libraries(old: Identity, new: Identity) -> list[str]:
    """Libraries whose version has changed: the run resumes, but not bit for bit."""
    before, now = old.get("libraries", {}), new.get("libraries", {})
    return [f"{name} {before[name]} -> {now[name]}" for name in before if name in now and before[name] != now[name]]


def _same_episodes(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> bool:
    """Whether two data sets are known to be the same; statistics of different ones differ anyway."""
    return old is None or "episodes" not in old or old["episodes"]["sha256"] == new["episodes"]["sha256"]


def _source_differences(old: Mapping[str, Any], new: Mapping[str, Any], *, with_statistics: bool) -> Iterator[str]:
    episodes = old.get("episodes")
    if episodes is not None:
        yield from _episode_differences(episodes, new["episodes"])
    if "videos" in old and old["videos"] != new["videos"]:
        yield "videos: the video files have other content"
    for key in old:
        if key not in ("episodes", "videos", *(() if with_statistics else ("statistics",))):
            yield from _fields(key, old[key], new.get(key, _ABSENT))


def _episode_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    before, now = _cut(old["each"]), _cut(new["each"])
    if old["sha256"] != new["sha256"]:
        common = min(len(before), len(now))
        changed = [number for number in range(common) if before[number] != now[number]]
        count = f"were {len(before)}, are {len(now)}; " if len(before) != len(now) else ""
        if not changed:
            kept = "those that were there are" if len(now) > len(before) else "those that are left are"
            yield f"episodes: {count}{kept} the same"
        elif sorted(before) == sorted(now):
            yield f"episodes: the same {len(now)} in another order"
        else:
            known = set(before)
            elsewhere = sum(digest in known for digest in now)
            yield (
                f"episodes: {count}{len(changed)} have other content, the first is number {changed[0]} "
                f"({elsewhere} of {len(now)} were there before, in whatever place)"
            )
    for key in ("steps", "held_out"):
        if old[key] != new[key]:
            yield f"episodes.{key}: was {old[key]}, is {new[key]}"


def _cut(digests: str) -> list[str]:
    return [digests[start : start + DIGITS] for start in range(0, len(digests), DIGITS)]


def _fields(name: str, old: Any, new: Any) -> Iterator[str]:
    """The leaves in which two nested values differ; lists of named things by their names."""
    old, new = _by_name(old), _by_name(new)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            if old.get(key, _ABSENT) != new.get(key, _ABSENT):
                yield from _fields(f"{name}.{key}", old.get(key, _ABSENT), new.get(key, _ABSENT))
    elif old != new:
        yield f"{name}: was {_short(old)}, is {_short(new)}"


def _by_name(value: Any) -> Any:
    if isinstance(value, list) and value and all(isinstance(item, Mapping) and "name" in item for item in value):
        return {"order": [item["name"] for item in value]} | {item["name"]: item for item in value}
    return value


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def setting_differences(old: Mapping[str, Any], config: RunConfig) -> list[str]:
    """A line for each setting that differs and changes what the run computes; more `steps` than before do not.

    Args:
        old: the settings in the run's checkpoint.
        config: the requested settings.
    """
    filled = _with_defaults(config.upgraded(old), config)
    before, now = json.loads(json.dumps(filled)), json.loads(json.dumps(dataclasses.asdict(config)))
    if isinstance(before.get("steps"), int) and before["steps"] < now["steps"]:
        before["steps"] = now["steps"]
    lines = _leaves(before, now, "")
    return [line for name, line in lines if not any(fnmatchcase(name, free) for free in config.free_on_resume)]


def _leaves(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key in sorted(set(old) | set(new)):
        name = f"{prefix}{key}"
        if isinstance(old.get(key), dict) and isinstance(new.get(key), dict):
            yield from _leaves(old[key], new[key], f"{name}.")
        elif old.get(key) != new.get(key):
            yield name, f"{name}={old.get(key)!r}, but {name}={new.get(key)!r} was asked for"


def _filled_up(saved: Mapping[str, Any], value: Any) -> Mapping[str, Any]:
    """Saved settings of a dataclass, or of a mapping to dataclasses, with defaults for newer settings."""
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

"""The identity of a run: what it learns from and how, written into its checkpoint and compared when it goes on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from embodio.agent.format.policy_format import PolicyFormat
from embodio.datasets.episodes.digests import DIGITS, episode_digests, videos_digest
from embodio.datasets.episodes.index import index_episodes
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.train.errors import ResumeError
from embodio.train.material import OpenSource

EXAMPLES_REVISION = 1
"""Raised whenever the same data and settings give other examples."""

Identity = Mapping[str, Any]
"""Plain JSON values: `sources` (name -> episodes, robot, statistics, policy, ...), `vocabulary`, `examples`, `init` and
`libraries`."""

_MOST_SHOWN = 20
_LONGEST_VALUE = 120
_LIBRARIES = ("numpy", "torch")
_ABSENT = "<absent>"


def identity_of(
    opened: Sequence[OpenSource], formats: Mapping[str, PolicyFormat], vocabulary: Vocabulary, init: str
) -> dict[str, Any]:
    """The identity of all inputs of a run but its settings.

    Args:
        opened: its data sets.
        formats: name of a data set -> how its robot is read and written.
        vocabulary: of the network.
        init: sha256 of the weights that it began with, "" for random ones.
    """
    identity = {
        "sources": {one.name: _source(one, formats[one.name]) for one in opened},
        "vocabulary": vocabulary.fingerprint,
        "examples": EXAMPLES_REVISION,
        "init": init,
        "libraries": {name: version(name) for name in _LIBRARIES},
    }
    plain: dict[str, Any] = json.loads(json.dumps(identity))
    return plain


def require_same_inputs(folder: Path, old: Identity, new: Identity, settings: Sequence[str] = ()) -> None:
    """Refuses to go on with a run whose inputs are others than those it began with.

    Args:
        folder: of the checkpoint.
        old: what the checkpoint says; parts that it lacks are not compared.
        new: what was found now.
        settings: what differs in the settings, a line each.

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
    """What differs between two identities, a line for each field; `libraries` aside."""
    lines: list[str] = []
    for key in ("vocabulary", "examples"):
        if key in old and old[key] != new[key]:
            lines.append(f"{key}: was {_short(old[key])}, is {_short(new[key])}")
    if old.get("init") and new["init"] and old["init"] != new["init"]:
        lines.append(f"init: its weights were {_short(old['init'])}, are {_short(new['init'])}; leave init= out")
    if "sources" not in old:
        return lines
    same_data = all(_same_episodes(old["sources"].get(name), source) for name, source in new["sources"].items())
    for name in [*old["sources"], *(name for name in new["sources"] if name not in old["sources"])]:
        before, now = old["sources"].get(name), new["sources"].get(name)
        if before is None or now is None:
            lines.append(f"sources.{name}: {'is new' if before is None else 'is no longer there'}")
            continue
        lines += [f"sources.{name}.{line}" for line in _source_differences(before, now, with_statistics=same_data)]
    return lines


def other_libraries(old: Identity, new: Identity) -> list[str]:
    """Libraries whose version is another now: the run goes on, but not to the same bits."""
    before, now = old.get("libraries", {}), new["libraries"]
    return [f"{name} {before[name]} -> {now[name]}" for name in before if name in now and before[name] != now[name]]


def identity_of_checkpoint(policy_format: PolicyFormat, name: str) -> dict[str, Any]:
    """What a checkpoint from before there were identities says of its main data set."""
    source = {key: value for key, value in _robot(policy_format).items() if key != "features"}
    plain: dict[str, Any] = json.loads(json.dumps({"main": name, "source": source}))
    return {"sources": {plain["main"]: plain["source"]}, "vocabulary": policy_format.vocabulary.fingerprint}


def _source(one: OpenSource, policy_format: PolicyFormat) -> dict[str, Any]:
    digests = episode_digests(one.episodes)
    index = index_episodes(one.episodes)
    return {
        "name": one.episodes.name,
        "version": str(getattr(one.episodes, "version", "") or ""),
        "split": getattr(one.episodes, "split", None),
        "episodes": {
            "number": len(digests),
            "steps": int(index.lengths.sum()),
            "held_out": len(one.held_out),
            "sha256": hashlib.sha256("".join(digests).encode()).hexdigest(),
            "each": "".join(digests),
        },
        "videos": videos_digest(one.episodes),
        "features": one.episodes.features.to_json(),
        **_robot(policy_format),
    }


def _robot(policy_format: PolicyFormat) -> dict[str, Any]:
    return {
        "embodiment": dataclasses.replace(policy_format.embodiment, guessed=()).to_dict(),
        "policy": dataclasses.asdict(policy_format.config),
        "statistics": policy_format.statistics.to_dict()["fields"],
    }


def _same_episodes(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> bool:
    """Whether two data sets are the same to what is known; statistics of others differ anyway."""
    return old is None or "episodes" not in old or old["episodes"]["sha256"] == new["episodes"]["sha256"]


def _source_differences(old: Mapping[str, Any], new: Mapping[str, Any], *, with_statistics: bool) -> Iterator[str]:
    episodes = old.get("episodes")
    if episodes is not None:
        yield from _episode_differences(episodes, new["episodes"])
    if old.get("videos", new["videos"]) != new["videos"]:
        yield "videos: the video files have other content"
    for key in (
        "name",
        "version",
        "split",
        "features",
        "embodiment",
        "policy",
        *(["statistics"] if with_statistics else []),
    ):
        if key in old and old[key] != new[key]:
            yield from _fields(key, old[key], new[key])


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

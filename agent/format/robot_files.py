"""The robot files of a checkpoint: three per robot, in one folder for each of several robots.

A network of several robots has `robots/<name>/{policy,embodiment,statistics}.json`, and `robots.json` with the name of
the default robot, if there is one. A network of one robot has the three files at the top instead.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from embodio.agent.errors import CheckpointError
from embodio.agent.format.policy_config import PolicyConfig
from embodio.agent.format.policy_format import PolicyFormat
from embodio.agent.format.robot_formats import RobotFormats, require_robot_names
from embodio.envs.embodiment import Embodiment
from embodio.envs.errors import EnvError
from embodio.model.errors import ModelError
from embodio.model.file_names import outside_of
from embodio.model.tokens.statistics import DatasetStatistics
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.model.writing import write_json

POLICY = "policy.json"
EMBODIMENT = "embodiment.json"
STATISTICS = "statistics.json"
ROBOT_FILES = (POLICY, EMBODIMENT, STATISTICS)
ROBOTS = "robots"
DEFAULT = "robots.json"


def write_robots(folder: Path, robots: RobotFormats) -> None:
    """Writes the robot files into the folder of a new checkpoint that is not yet in its final place."""
    for name, robot in robots.items():
        place = robot_folder(folder, name if robots.named else "")
        place.mkdir(parents=True, exist_ok=True)
        write_json(place / POLICY, robot.config.to_dict(), indent=2, lasting=False)
        write_json(place / EMBODIMENT, robot.embodiment.to_dict(), indent=2, lasting=False)
        write_json(place / STATISTICS, robot.statistics.to_dict(), indent=2, lasting=False)
    if robots.named and robots.default:
        write_json(folder / DEFAULT, {"default": robots.default}, indent=2, lasting=False)


def read_robots(folder: Path, names: Sequence[str], vocabulary: Vocabulary) -> RobotFormats:
    """Reads the robots of a checkpoint.

    Args:
        folder: of the checkpoint.
        names: from `robot_names`.
        vocabulary: of the network.

    Raises:
        CheckpointError: a file is missing, malformed or a link out of the folder, or a robot contradicts itself; names
            the file or the folder.
    """
    if not names:
        return RobotFormats(_read_robot(folder, vocabulary))
    robots = {}
    for name in names:
        place = robot_folder(folder, name)
        for file in ROBOT_FILES:
            if leads_to := outside_of(folder, place / file):
                raise CheckpointError(f"{place / file}: leads through a link to {leads_to}; put the file itself there")
        robots[name] = _read_robot(place, vocabulary)
    if not (folder / DEFAULT).is_file():
        return RobotFormats(robots)
    with naming(folder / DEFAULT):
        return RobotFormats(robots, _default(folder / DEFAULT))


def robot_folder(folder: Path, name: str) -> Path:
    """The folder of a robot's files; "" is the only robot of a checkpoint without names."""
    return folder / ROBOTS / name if name else folder


def robot_names(folder: Path, listed: Iterable[str] = ()) -> list[str]:
    """Sorted names of the robots with a folder in a checkpoint; empty where its one robot is at the top.

    Args:
        folder: of the checkpoint.
        listed: files named in its checksums; robots among them count even if their folder is missing.

    Raises:
        CheckpointError: a name is unsafe, there are too many robots, or there are robot files at the top as well.
    """
    parts = (name.split("/", 2) for name in listed)
    found = {rest[0] for top, *rest in parts if top == ROBOTS and len(rest) == 2}
    if (folder / ROBOTS).is_dir():
        with os.scandir(folder / ROBOTS) as entries:
            found |= {entry.name for entry in entries if entry.name[0] != "." and entry.is_dir()}
    if not found:
        return []
    with naming(folder):
        require_robot_names(sorted(found))
    top = [name for name in ROBOT_FILES if (folder / name).exists()]
    if top:
        raise CheckpointError(
            f"{folder}: {', '.join(top)} and {ROBOTS}/ both describe robots; remove those that do not belong to it"
        )
    return sorted(found)


def robot_file_names(names: Sequence[str]) -> list[str]:
    """The robot files, relative to the folder of the checkpoint."""
    places = [f"{ROBOTS}/{name}/" for name in names] or [""]
    return [f"{place}{file}" for place in places for file in ROBOT_FILES]


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Prefixes errors about a file's content with its path."""
    try:
        yield
    except (ModelError, EnvError, CheckpointError) as error:
        text = str(error) if str(path) in str(error) else f"{path}: {error}"
        raise CheckpointError(f"{text}; fetch or save the checkpoint again") from error


def _read_robot(folder: Path, vocabulary: Vocabulary) -> PolicyFormat:
    with naming(folder / POLICY):
        policy = PolicyConfig.from_dict(_read_json(folder / POLICY))
    with naming(folder / EMBODIMENT):
        embodiment = Embodiment.from_dict(_read_json(folder / EMBODIMENT))
    with naming(folder / STATISTICS):
        statistics = DatasetStatistics.from_dict(_read_json(folder / STATISTICS))
    with naming(folder):
        return PolicyFormat(policy, embodiment, statistics, vocabulary)


def _default(path: Path) -> str:
    values = _read_json(path)
    default = values.get("default")
    if set(values) != {"default"} or not isinstance(default, str) or not default:
        raise CheckpointError(f'{path}: expected {{"default": the name of a robot}}')
    return default


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: expected an object, found a {type(values).__name__}")
    return values

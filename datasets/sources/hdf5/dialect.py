"""Dialect: where an HDF5 file keeps its episodes, and how it names their fields."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from embodio.datasets.errors import DatasetError
from embodio.datasets.sources.hdf5 import dialects


def _no_masks(file: Any) -> dict[str, frozenset[str]]:
    return {}


def _no_facts(file: Any, path: Path, episode: str) -> dict[str, Any]:
    return {}


def _no_environment(file: Any) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Dialect:
    """How one kind of HDF5 file is read; files are given as open `h5py.File` objects.

    Attributes:
        name: for messages.
        looks: the marks of such files, for messages.
        holds: whether a file is of this kind, from the names in it.
        episodes: names of the episodes' groups, in order; "" is the file itself.
        field: our path of a data set of an episode's group; None leaves it out.
        length: steps of an episode's group; raises KeyError if it has no actions.
        one_more: groups whose data sets hold T + 1 values, before the first to after the last action.
        masks: name of a part of the data -> names of its episodes.
        facts: facts about an episode outside its group, such as in a JSON file of the same name.
        environment: arguments of the environment, in robosuite's terms.
        refused: why a file of this kind cannot be read; empty if it can.
        swapped: whether the compressor was given RGB images although it takes BGR.
        rank: dialects are tried in ascending rank.
    """

    name: str
    looks: str
    holds: Callable[[Any], bool]
    episodes: Callable[[Any], list[str]]
    field: Callable[[str], str | None]
    length: Callable[[Any], int]
    one_more: tuple[str, ...] = ()
    masks: Callable[[Any], Mapping[str, frozenset[str]]] = _no_masks
    facts: Callable[[Any, Path, str], Mapping[str, Any]] = _no_facts
    environment: Callable[[Any], Mapping[str, Any]] = _no_environment
    refused: Callable[[Any], str] = lambda file: ""
    swapped: Callable[[Any], bool] = lambda file: False
    rank: int = 0

    def __reduce__(self) -> tuple[Callable[[str], Dialect], tuple[str]]:
        """Pickles the name only."""
        return dialect_named, (self.name,)


@cache
def known_dialects() -> tuple[Dialect, ...]:
    """All dialects, in the order in which they are tried."""
    modules = [
        importlib.import_module(f"{dialects.__name__}.{m.name}") for m in pkgutil.iter_modules(dialects.__path__)
    ]
    found = [module.DIALECT for module in modules if isinstance(getattr(module, "DIALECT", None), Dialect)]
    return tuple(sorted(found, key=lambda dialect: (dialect.rank, dialect.name)))


def dialect_named(name: str) -> Dialect:
    """The dialect of this name; raises DatasetError if there is none."""
    for dialect in known_dialects():
        if dialect.name == name:
            return dialect
    raise DatasetError(f"{name!r} is not a known layout in HDF5")


def dialect_of(file: Any, path: Path) -> Dialect:
    """The dialect of an open file; raises DatasetError if it has none."""
    for dialect in known_dialects():
        if dialect.holds(file):
            return dialect
    known = "; ".join(f"{dialect.name} ({dialect.looks})" for dialect in known_dialects())
    held = ", ".join(list(file)[:8]) or "nothing"
    raise DatasetError(f"{path} holds {held}, which is none of the layouts in HDF5 that are known: {known}")


def is_group(item: Any) -> bool:
    """Whether this is a group, and neither a data set nor a link to nothing."""
    return hasattr(item, "keys") and not hasattr(item, "dtype")


def numbered(file: Any, pattern: str) -> list[str]:
    """Names of the groups that match a regular expression, by the number at their end."""
    return sorted((name for name in file if re.fullmatch(pattern, name) and is_group(file.get(name))), key=number_of)


def number_of(name: str) -> tuple[str, int, str]:
    """Sorts names by the number at their end: demo_2 comes before demo_10."""
    digits = re.search(r"\d+$", name)
    return (name[: digits.start()], int(digits.group()), name) if digits else (name, -1, name)


def rows_of(item: Any) -> int:
    """Rows of a data set, or of the first one in a group; raises KeyError if there is none."""
    if is_group(item):
        return rows_of(item[next(iter(item))]) if len(item) else _no_rows()
    return int(item.shape[0]) if item.shape else _no_rows()


def parsed(text: Any) -> dict[str, Any]:
    """The content of JSON text; empty if it is invalid, or not an object."""
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _no_rows() -> int:
    raise KeyError("there are no rows")

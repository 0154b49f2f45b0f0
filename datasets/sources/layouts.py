"""The layouts of data sets, found by listing this folder: a module that holds a `LAYOUT` adds one."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.errors import DatasetError


def _never(url: str) -> bool:
    return False


@dataclass(frozen=True)
class Layout:
    """One way to keep episodes in files.

    Attributes:
        kind: its name in a YAML file.
        looks: what its files look like, for the message that names all layouts.
        holds: whether a file or folder is of this layout; it reads names and beginnings of files only.
        opened: makes the source of a path or URL, the name of a split (None takes the layout's own choice) and the
            instruction for data that holds none.
        behind: whether a URL leads to data of this layout.
        rank: layouts are tried in ascending rank: first those recognised by name, at no cost; the one that takes any
            archive comes last.
    """

    kind: str
    looks: str
    holds: Callable[[Path], bool]
    opened: Callable[[Path | str, str | None, str], EpisodeSource]
    behind: Callable[[str], bool] = _never
    rank: int = 0


@cache
def layouts() -> tuple[Layout, ...]:
    """All layouts, in the order in which they are tried."""
    package = importlib.import_module(__name__.rpartition(".")[0])
    modules = [
        importlib.import_module(f"{package.__name__}.{found.name}") for found in pkgutil.iter_modules(package.__path__)
    ]
    found = [module.LAYOUT for module in modules if isinstance(getattr(module, "LAYOUT", None), Layout)]
    return tuple(sorted(found, key=lambda layout: (layout.rank, layout.kind)))


def kinds() -> tuple[str, ...]:
    """The layouts' names in YAML files."""
    return tuple(layout.kind for layout in layouts())


def layout_named(kind: str) -> Layout:
    """The layout that a YAML file names; raises DatasetError if there is none."""
    for layout in layouts():
        if layout.kind == kind:
            return layout
    raise DatasetError(f"kind: {kind!r}, expected one of {', '.join(kinds())}")


def layout_of(path: Path) -> Layout:
    """The layout of a file or folder; raises DatasetError that lists all layouts if it has none."""
    for layout in layouts():
        if layout.holds(path):
            return layout
    known = ", ".join(layout.looks for layout in layouts())
    raise DatasetError(f"{path} holds no data set of a known layout: {known}")


def layout_behind(url: str) -> Layout:
    """The layout behind a URL; RLDS unless another one is recognised."""
    found = (layout for layout in layouts() if layout.behind(url))
    return next(found, None) or layout_named("rlds")

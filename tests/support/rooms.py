"""Where the rooms are, and their source files as syntax trees."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]

# Room -> the rooms, or parts of rooms, that it may import.
MAY_IMPORT = {
    "model": set(),
    "envs": set(),
    "agent": {"model", "envs"},
    "datasets": {"model", "envs", "agent.format"},
    "train": {"model", "datasets", "agent", "envs"},
    "benchmarks": {"model", "datasets", "agent", "envs", "train"},
}


@dataclass(frozen=True)
class Source:
    """One source file.

    Attributes:
        room: The top-level folder it lives in.
        path: Relative to the repo.
        text: Its content.
        tree: Its syntax tree.
    """

    room: str
    path: str
    text: str
    tree: ast.Module

    def imports(self) -> list[str]:
        """The full names of all modules that it imports, wherever in the file."""
        names = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names.append("." * node.level + (node.module or ""))
        return names


@cache
def sources() -> tuple[Source, ...]:
    """All Python files of the rooms."""
    found = []
    for room in MAY_IMPORT:
        for path in sorted((REPO / room).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            found.append(Source(room, str(path.relative_to(REPO)), text, ast.parse(text)))
    return tuple(found)

"""The docs of Python packages on this machine: docstrings of their modules, and descriptions of packages."""

from __future__ import annotations

import ast
import inspect
import sysconfig
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email import message_from_string
from pathlib import Path
from typing import Literal

from embodio.datasets.corpus.source import CorpusItem, CorpusPlan, CorpusRequest, LeftOut, SourceAbsent, shuffled

_SHORTEST, _LONGEST = 200, 20_000  # characters of a text
_LARGEST_FILE = 1_000_000  # bytes
_SKIPPED = frozenset({"tests", "test", "testing", "__pycache__", "_vendor", "vendored", "site-packages"})


def _installed() -> tuple[Path, ...]:
    """Where this Python keeps its own modules and installed packages."""
    paths = sysconfig.get_paths()
    return tuple(Path(folder) for folder in dict.fromkeys((paths["stdlib"], paths["purelib"], paths["platlib"])))


@dataclass(frozen=True)
class PythonDocs:
    """What Python packages say about themselves; no code runs and nothing is imported.

    Attributes:
        folders: with packages.
        count: files that are read, unless `limit` says otherwise.
    """

    folders: tuple[Path, ...] = field(default_factory=_installed)
    count: int = 8000
    title: str = "docstrings and descriptions of installed Python packages"
    licence: str = "as each package"
    ships: bool = False
    packages: tuple[str, ...] = ("any Python package",)
    layout: Literal["webdataset", "jsonl"] = "jsonl"
    shard_records: int = 1000
    version: int = 1

    def plan(self, request: CorpusRequest) -> CorpusPlan:
        """Lists the files; raises SourceAbsent if there is none."""
        found: dict[str, CorpusItem] = {}
        for folder in self.folders:
            for path in _files(folder):
                name = path.relative_to(folder).as_posix()
                size = path.stat().st_size
                found.setdefault(name, CorpusItem(name.replace(".", "_"), {"path": str(path), "size": size}))
        if not found:
            raise SourceAbsent(f"no Python package is in {', '.join(map(str, self.folders))}; pip brings them")
        unique = {item.key: item for item in found.values()}
        return CorpusPlan(shuffled(unique.values(), request.limit or self.count))

    def make(self, item: CorpusItem, seed: int) -> Mapping[str, bytes | str]:
        """The text of one file."""
        path = Path(item.data["path"])
        try:
            source = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise LeftOut("files that cannot be read") from error
        text = description(source) if path.name == "METADATA" else docstrings(source)
        if len(text) < _SHORTEST:
            raise LeftOut("files that say little")
        return {"text": text[:_LONGEST]}


def docstrings(source: str) -> str:
    """The docstrings of a module, its classes and functions, each after its name; "" if it is not Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    parts = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            said = ast.get_docstring(node, clean=False)
            if said and said.strip():
                name = "" if isinstance(node, ast.Module) else f"{node.name}: "
                parts.append(name + inspect.cleandoc(said))
    return "\n\n".join(parts)


def description(metadata: str) -> str:
    """Summary and long description of a package, of the file METADATA."""
    message = message_from_string(metadata)
    body = message.get_payload()
    return f"{message['Name']}: {message['Summary']}\n\n{body if isinstance(body, str) else ''}".strip()


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.dist-info/METADATA")]):
        if not _SKIPPED & set(path.relative_to(folder).parts) and 0 < path.stat().st_size < _LARGEST_FILE:
            yield path


SOURCE = PythonDocs()

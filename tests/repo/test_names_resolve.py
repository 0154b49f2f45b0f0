"""Names in backticks, in docstrings and in pages for users, exist: modules, files, classes, functions, settings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from tests.support.imports import dotted, exported
from tests.support.rooms import MAY_IMPORT, REPO, Source, sources

PAGES = ("README.md", *sorted(f"docs/{path.name}" for path in (REPO / "docs").glob("*.md")))
FOLDERS = {*MAY_IMPORT, "tests", "docs", "scripts"}

FOREIGN = {"SyncVectorEnv", "final_front", "final_segm_front"}
"""Of gymnasium, and fields that VIMA's files may have."""

JOINED = {f"{figure}_text" for figure in ("bits", "unigram", "accuracy", "tokens")} | {"time_batch", "time_forward"}
"""Figures of a log, whose names are joined from the figure and the modality or part of a step."""

_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_DOTTED = re.compile(r"embodio(?:\.\w+)+")
_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)+\.(?:py|md|yaml|sh|css|html)")
_CLASS = re.compile(r"[A-Z][a-z]\w+")
_SNAKE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")


def docstrings(source: Source) -> Iterator[ast.Constant]:
    """All texts of a file that are statements of their own: of modules, classes, functions, constants."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value


@cache
def words() -> frozenset[str]:
    """Every identifier of the house, and every word of its strings and settings, docstrings aside."""
    found = set()
    for source in sources():
        described = {id(node) for node in docstrings(source)}
        for node in ast.walk(source.tree):
            for field in ("id", "attr", "arg", "name", "asname"):
                found.add(getattr(node, field, None))
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in described:
                found |= set(re.findall(r"\w+", node.value))
        found |= set(source.path.removesuffix(".py").split("/"))
    for path in (path for room in MAY_IMPORT for path in (REPO / room).rglob("*.yaml")):
        found |= {path.stem, *re.findall(r"\w+", path.read_text(encoding="utf-8"))}
    return frozenset(str(word) for word in found)


@cache
def modules() -> dict[str, Source]:
    return {dotted(source.path): source for source in sources()}


def resolves(name: str) -> bool:
    """Whether a full dotted name leads to a module, a top-level name of one, or a member of a class."""
    if name in modules() or name == "embodio":
        return True
    parent, _, last = name.rpartition(".")
    if parent in modules():
        source = modules()[parent]
        home = exported(parent, source).get(last)
        return home is not None or last in members(source.tree) or last == "__path__"
    owner, _, cls = parent.rpartition(".")
    if owner in modules():
        home = exported(owner, modules()[owner]).get(cls, owner)
        tree = modules()[home].tree if home in modules() else ast.parse("")
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == cls]
        return any(last in members(node) or node.bases for node in classes)
    return False


def members(tree: ast.Module | ast.ClassDef) -> set[str]:
    """The names that a module or class defines."""
    found = set()
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found |= {getattr(node, "name", None), *(getattr(target, "id", None) for target in targets)}
    return {str(name) for name in found}


def faults(span: str) -> str | None:
    """What is wrong with one name in backticks; None if it is right, or not one of ours."""
    name = re.sub(r"\(.*\)$", "", span)
    if _DOTTED.fullmatch(name):
        return None if resolves(name) else f"`{span}` leads nowhere"
    if _PATH.fullmatch(name) and name.split("/")[0] in FOLDERS:
        return None if (REPO / name).exists() else f"`{span}`: there is no such file"
    owner, _, last = name.rpartition(".")
    member = _CLASS.fullmatch(owner) and owner in words() and last.isidentifier() and last not in words()
    if member or ((_CLASS.fullmatch(name) or _SNAKE.fullmatch(name)) and name not in words() | FOREIGN | JOINED):
        return f"`{span}` is the name of nothing"
    return None


def test_names_in_docstrings_resolve() -> None:
    found = {
        f"{source.path}: {fault}"
        for source in sources()
        for text in docstrings(source)
        for span in _SPAN.findall(str(text.value))
        if (fault := faults(span))
    }
    assert not found, "\n".join(sorted(found))


@pytest.mark.parametrize("page", PAGES)
def test_names_in_pages_resolve(page: str) -> None:
    text = re.sub(r"^```.*?^```", "", (REPO / page).read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    found = [fault for span in _SPAN.findall(text) if (fault := faults(span))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "span",
    [
        "embodio.agent.Nothing",
        "embodio.model.nothing",
        "model/nothing.py",
        "NoSuchClassHere",
        "Agent.no_verb",
        "no_such_function()",
    ],
)
def test_names_of_nothing_are_found(span: str) -> None:
    assert faults(span)


@pytest.mark.parametrize(
    "span",
    ["embodio.agent.Agent.load", "embodio.model.load", "model/errors.py", "TaskRunner", "task_runner", "x", "[T, H]"],
)
def test_names_of_ours_are_right(span: str) -> None:
    assert faults(span) is None

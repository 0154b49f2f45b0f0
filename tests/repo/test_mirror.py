"""tests/ mirrors the rooms: a test lies in the folder of what it tests, what several tests share in tests/support."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.support.rooms import MAY_IMPORT, REPO

TESTS = REPO / "tests"
SHARED = {"support", "golden"}


def files() -> list[Path]:
    return [path.relative_to(TESTS) for path in sorted(TESTS.rglob("*.py"))]


def imported(text: str) -> set[str]:
    """The modules of tests that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or ".")
    return {name for name in names if name.split(".")[0] == "tests" or name.startswith(".")}


def test_tests_import_nothing_from_other_tests() -> None:
    assert [
        f"tests/{path} imports {name}"
        for path in files()
        for name in sorted(imported((TESTS / path).read_text(encoding="utf-8")))
        if name.split(".")[:2] != ["tests", "support"]
    ] == []


def test_imports_of_other_tests_are_found() -> None:
    text = "from tests.agent.test_x import x\nimport tests.train"
    assert imported(text) == {"tests.agent.test_x", "tests.train"}


def test_every_test_lies_in_the_folder_of_what_it_tests() -> None:
    wrong = []
    for path in files():
        room, is_test = path.parts[0], path.name.startswith("test_") or path.name in ("conftest.py", "__init__.py")
        if len(path.parts) > 1 and room not in SHARED | {"repo"}:
            mirrored = room in MAY_IMPORT and (REPO / path.parent).is_dir()
            wrong += [f"tests/{path}: there is no folder {path.parent}"] * (not mirrored)
        if room not in SHARED and not is_test:
            wrong.append(f"tests/{path} is not a test; what tests share is in tests/support")
    assert wrong == []

"""The rules of the house: what a room may import, how long a file may be, what no library code contains."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tokenize
from collections.abc import Callable, Iterator
from io import StringIO

import pytest

from tests.support.rooms import MAY_IMPORT, REPO, Source, sources

LONGEST_FILE, LONGEST_FUNCTION = 400, 60
TF_PROGRAMS = "datasets/tfds/programs/"
"""Run in processes of their own; they import TensorFlow inside functions."""

Rule = Callable[[Source], Iterator[str]]


def import_rules(source: Source) -> Iterator[str]:
    for name in source.imports():
        top, _, rest = name.partition(".")
        if name.startswith("."):
            yield f"relative import {name!r}; write `from embodio.{source.room} import ...`"
        if top in MAY_IMPORT:
            yield f"`import {name}` would find another package; write embodio.{name}"
        allowed = {source.room, *MAY_IMPORT[source.room]}
        if top == "embodio" and not any(f"{rest}.".startswith(f"{one}.") for one in allowed):
            yield f"{source.room} must not import embodio.{rest}"
        own = source.path.startswith(TF_PROGRAMS)
        if top in ("tensorflow", "tensorflow_datasets", "rlds") and not own:
            yield f"{name} belongs into {TF_PROGRAMS} and tests only"
        if rest.startswith(TF_PROGRAMS.replace("/", ".").rstrip(".")) and not own:
            yield f"{name} runs in a process of its own, see embodio.datasets.tfds.process"


def first_line(source: Source) -> Iterator[str]:
    if not source.text.startswith('"""') or not ast.get_docstring(source.tree):
        yield "a file begins with a docstring that says its one idea"


def lengths(source: Source) -> Iterator[str]:
    count = source.text.count("\n")
    if count > LONGEST_FILE:
        yield f"{count} lines, at most {LONGEST_FILE} are allowed"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                yield f"{node.name} has {length} lines, at most {LONGEST_FUNCTION} are allowed"


def no_shortcuts(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Assert):
            yield f"line {node.lineno}: raise a typed error instead of assert"
        if isinstance(node, ast.ExceptHandler):
            caught = {ast.unparse(item) for item in ast.walk(node.type)} if node.type else {"everything"}
            if caught & {"everything", "Exception", "BaseException"}:
                yield f"line {node.lineno}: catch the errors that are meant, not all"
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print":
            yield f"line {node.lineno}: print in library code"
    for token in tokenize.generate_tokens(StringIO(source.text).readline):
        if token.type == tokenize.COMMENT and {"TODO", "FIXME", "XXX", "HACK"} & set(re.findall(r"\w+", token.string)):
            yield f"line {token.start[0]}: {token.string}"


def described_and_typed(source: Source) -> Iterator[str]:
    for node in source.tree.body:
        public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
        if public and not ast.get_docstring(node):
            yield f"{node.name} has no docstring"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef) and node.returns is None:
            yield f"{node.name} has no return type"


@pytest.mark.parametrize("rule", [import_rules, first_line, lengths, no_shortcuts, described_and_typed])
def test_rule(rule: Rule) -> None:
    assert [f"{source.path}: {fault}" for source in sources() for fault in rule(source)] == []


@pytest.mark.parametrize(
    ("rule", "room", "text"),
    [
        (import_rules, "model", "from embodio.envs import make_env"),
        (import_rules, "agent", "def f():\n    import embodio.datasets.rlds"),
        (import_rules, "datasets", "from embodio.agent.agent import Agent"),
        (import_rules, "train", "import datasets"),
        (import_rules, "train", "from . import cli"),
        (import_rules, "datasets", "from tensorflow.io import gfile"),
        (import_rules, "datasets", "from embodio.datasets.tfds.programs.export import main"),
        (first_line, "model", "import re"),
        (lengths, "model", "\n" * 401),
        (lengths, "model", "def f():\n" + "    x = 1\n" * 60),
        (no_shortcuts, "model", "assert True"),
        (no_shortcuts, "model", "try:\n    x = 1\nexcept (ValueError, Exception):\n    x = 2"),
        (no_shortcuts, "model", "try:\n    x = 1\nexcept:\n    x = 2"),
        (no_shortcuts, "model", "print(1)"),
        (no_shortcuts, "model", "x = 1  # " + "TODO: more"),
        (described_and_typed, "model", "def f() -> None: ..."),
        (described_and_typed, "model", "class _A:\n    def f(self): ..."),
    ],
)
def test_rules_find_what_they_are_for(rule: Rule, room: str, text: str) -> None:
    assert list(rule(Source(room, "x.py", text, ast.parse(text))))


def test_every_room_is_a_typed_package() -> None:
    for room in MAY_IMPORT:
        assert (REPO / room / "__init__.py").is_file()
        assert (REPO / room / "py.typed").is_file()
    for folder in {path.parent for room in MAY_IMPORT for path in (REPO / room).rglob("*.py")}:
        assert (folder / "__init__.py").is_file(), f"{folder} has modules but no __init__.py"
    assert not list(REPO.glob("embodio/__init__.py")), "embodio is a namespace package"


def test_configs_begin_with_their_command() -> None:
    configs = [path for room in MAY_IMPORT for path in (REPO / room).rglob("*.yaml")]
    assert configs
    for path in configs:
        lines = path.read_text(encoding="utf-8").splitlines()
        header = [line for line in lines[:40] if line.startswith("#")]
        assert lines[0].startswith("#"), f"{path}: begins with a comment"
        if path.parent.name != "prompts":  # no command runs wordings
            assert any("embodio-" in line for line in header), f"{path}: the header names the command that runs it"


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that are loaded in a fresh Python after a statement."""
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_envs_starts_no_simulator() -> None:
    assert not {"mujoco", "robosuite", "torch", "OpenGL"} & loaded_by("import embodio.envs")


def test_importing_agents_imports_no_compiler() -> None:
    """The one of torch takes seconds, in every worker and server; it needs sympy."""
    assert not {"sympy", "matplotlib"} & loaded_by("import embodio.agent.planning.precision")


def test_tensorflow_is_never_imported() -> None:
    modules = ["embodio." + source.path.removesuffix(".py").replace("/", ".") for source in sources()]
    modules = [name.removesuffix(".__init__") for name in modules]
    loaded = loaded_by("import importlib; [importlib.import_module(name) for name in " + repr(modules) + "]")
    assert not {"tensorflow", "tensorflow_datasets", "rlds", "jax"} & loaded


def test_files_are_written_by_the_one_helper() -> None:
    """`embodio.model.writing` knows of full disks, crashes and half-written files; nothing else needs to."""
    own = {"model/writing.py", "envs/embodiment.py", "train/tokenizers/text.py"}  # envs imports no other room
    found = []
    for source in sources():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and source.path not in own:
                name = ast.unparse(node.func)
                if name.endswith((".write_text", ".write_bytes", "os.replace", "os.rename", "mkstemp")):
                    found.append(f"{source.path}: line {node.lineno}: {name}; use embodio.model.writing")
    assert found == []

"""Who imports whom: the modules of the house as a graph, late imports and lazily loaded names included."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.support.rooms import REPO, Source, sources


@dataclass
class Module:
    """One module and what it imports.

    Attributes:
        source: Its file.
        runs: The modules of ours that it imports while it is loaded or runs.
        names: Those, and the modules that it imports for type checking only.
    """

    source: Source
    runs: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)


def house(files: tuple[Source, ...] | None = None) -> dict[str, Module]:
    """Dotted name -> module, for all source files of the house (or for those given)."""
    modules = {dotted(source.path): Module(source) for source in files or sources()}
    homes = {name: exported(name, module.source) for name, module in modules.items()}
    for name, module in modules.items():
        typing_only = {id(node) for node in _under_type_checking(module.source.tree)}
        for node in ast.walk(module.source.tree):
            found = set(_imported(node, modules, homes))
            module.names |= found - {name}
            if id(node) not in typing_only:
                module.runs |= found - {name}
    return modules


def dotted(path: str) -> str:
    """The name a file is imported by: `agent/format/codec.py` is `embodio.agent.format.codec`."""
    return "embodio." + path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """The groups of nodes that reach each other (Tarjan's strongly connected components of two nodes or more)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for to in sorted(edges.get(node, ())):
            if to not in index:
                visit(to)
            if to in stack:
                low[node] = min(low[node], low[to])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in edges:
        if node not in index:
            visit(node)
    return found


def _imported(node: ast.AST, modules: Mapping[str, Module], homes: Mapping[str, dict[str, str]]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in modules)
    elif isinstance(node, ast.ImportFrom) and node.module in modules:
        for alias in node.names:
            inner, home = f"{node.module}.{alias.name}", homes[node.module].get(alias.name)
            yield inner if inner in modules else home or node.module


def exported(name: str, source: Source) -> dict[str, str]:
    """Of a package that re-exports: name -> the module it comes from, read from its imports or from its stub."""
    if not source.path.endswith("__init__.py"):
        return {}
    stub = REPO / (source.path + "i")
    tree = ast.parse(stub.read_text(encoding="utf-8")) if stub.is_file() else source.tree
    homes = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = node.module or "" if not node.level else f"{name}.{node.module}"
            homes |= {alias.asname or alias.name: module for alias in node.names if module.startswith("embodio.")}
    return homes


def _under_type_checking(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for inner in node.body:
                yield from ast.walk(inner)

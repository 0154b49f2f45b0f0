"""The walls of the house: no import circle, small folders, no splinters, one place for each public class name."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from pathlib import PurePath

from tests.support.imports import Module, circles, house
from tests.support.rooms import Source, sources

MOST_MODULES, SPLINTER, PREFIX_FAMILY = 16, 40, 3

PLUG_INS = {
    "families",
    "tasks",
    "annotations",
    "metrics",
    "suites",
    "commands",
    "catalogue",
    "dialects",
    "experiments",
    "objectives",
    "readers",
    "perturbations",
}
"""Folders that are found by listing them: a file more is one thing more that the house can do."""


def folders(files: tuple[Source, ...]) -> dict[str, list[str]]:
    """Folder -> names of its modules, its `__init__` aside."""
    found = defaultdict(list)
    for path in (PurePath(source.path) for source in files):
        if path.stem != "__init__":
            found[str(path.parent)].append(path.stem)
    return found


def is_plug_in(path: str) -> bool:
    return bool(PLUG_INS & set(PurePath(path).parts))


def crowded(files: tuple[Source, ...]) -> dict[str, int]:
    """Folder -> number of its modules, where that is too many."""
    counts = {folder: len(names) for folder, names in folders(files).items() if PurePath(folder).name not in PLUG_INS}
    return {folder: count for folder, count in counts.items() if count > MOST_MODULES}


def splinters(modules: dict[str, Module]) -> set[str]:
    """Short modules that only one other module imports: they belong into it."""
    importers = Counter(to for module in modules.values() for to in module.names)
    return {
        module.source.path
        for name, module in modules.items()
        if importers[name] == 1 and module.source.text.count("\n") < SPLINTER
        if not module.source.path.endswith("__init__.py") and not is_plug_in(module.source.path)
    }


def prefix_families(files: tuple[Source, ...]) -> set[str]:
    """Modules of one folder with one first word: they are a folder of their own."""
    return {
        f"{folder}/{first}_*"
        for folder, names in folders(files).items()
        for first, count in Counter(name.split("_")[0] for name in names).items()
        if count >= PREFIX_FAMILY and PurePath(folder).name not in PLUG_INS
    }


def classes_of_one_name(files: tuple[Source, ...]) -> set[str]:
    """Public class names that are defined in several places."""
    counts = Counter(
        node.name
        for source in files
        for node in source.tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    return {name for name, count in counts.items() if count > 1}


def test_no_module_imports_itself_through_others() -> None:
    assert circles({name: module.runs for name, module in house().items()}) == []


def test_folders_are_small() -> None:
    assert crowded(sources()) == {}, f"at most {MOST_MODULES} modules in a folder"


def test_no_splinters() -> None:
    assert splinters(house()) == set(), f"under {SPLINTER} lines and one importer: move it there"


def test_no_prefix_families() -> None:
    assert prefix_families(sources()) == set(), "a folder says the common word once"


def test_one_class_of_a_name() -> None:
    assert classes_of_one_name(sources()) == set(), "one word for one thing"


def source(path: str, text: str = "") -> Source:
    return Source(path.partition("/")[0], path, text, ast.parse(text))


def test_a_circle_through_a_late_import_and_a_face_is_found() -> None:
    files = (
        source("toy/__init__.py", "if TYPE_CHECKING:\n    from embodio.toy.first import First"),
        source("toy/first.py", "class First:\n    def f(self):\n        from embodio.toy.second import x"),
        source("toy/second.py", "from embodio.toy import third"),
        source("toy/third.py", "from embodio.toy import First"),
        source("toy/fourth.py", "from embodio.toy import First"),
    )
    found = circles({name: module.runs for name, module in house(files).items()})
    assert found == [["embodio.toy.first", "embodio.toy.second", "embodio.toy.third"]]


def test_imports_for_type_checking_close_no_circle() -> None:
    late = "if TYPE_CHECKING:\n    from embodio.model.b import B"
    modules = house((source("model/a.py", late), source("model/b.py", "from embodio.model.a import A")))
    assert circles({name: module.runs for name, module in modules.items()}) == []
    assert splinters(modules) == {"model/a.py", "model/b.py"}


def test_folders_that_are_too_full_or_repeat_a_word_are_found() -> None:
    files = tuple(source(f"model/{name}.py") for name in ("__init__", *map(chr, range(97, 97 + 17))))
    assert crowded(files) == {"model": 17} and crowded(files[:-1]) == {}
    assert crowded(tuple(source(f"model/tasks/families/t{number}.py") for number in range(30))) == {}
    assert prefix_families((source("model/x_a.py"), source("model/x_b.py"), source("model/x.py"))) == {"model/x_*"}


def test_two_classes_of_one_name_are_found() -> None:
    files = (source("model/a.py", "class A: ...\nclass _B: ..."), source("train/a.py", "class A: ...\nclass _B: ..."))
    assert classes_of_one_name(files) == {"A"}

"""PlugIns: the modules of a package that are found by listing its folder, such as tasks and objectives.

A module appears under its own name; what it is for is the first sentence of its docstring, read without an import. A
plug-in of your own is named as module:NAME, a module that can be imported and the name in it.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from embodio.datasets.errors import DatasetError
from embodio.model.own_code import NotImportable, named_object


class UnknownPlugInError(DatasetError):
    """A name that no module of the folder has; the message lists the known ones."""


class PlugIns:
    """The plug-ins of one package.

    Args:
        package: its import name.
        attribute: the name in each module under which its plug-in is found, such as "TASK".
        kind: what one is called in messages, such as "task".
        base: modules of the folder that are not plug-ins.
        error: raised for unknown names.
    """

    def __init__(
        self,
        package: str,
        attribute: str,
        *,
        kind: str,
        base: tuple[str, ...] = (),
        error: type[DatasetError] = UnknownPlugInError,
    ) -> None:
        self._package, self._attribute = package, attribute
        self._kind, self._base, self._error = kind, base, error

    def names(self) -> list[str]:
        """The names in alphabetical order; nothing is imported."""
        return sorted(name for name, _ in self._modules())

    def summaries(self) -> dict[str, str]:
        """Name -> the first sentence of its module after the colon; nothing is imported."""
        found = {}
        for name, file in self._modules():
            text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
            found[name] = text.partition("\n\n")[0].replace("\n", " ").partition(": ")[2]
        return dict(sorted(found.items()))

    def named(self, name: str) -> Any:
        """Imports a plug-in by its name, or one of your own by module:NAME.

        Raises:
            UnknownPlugInError: there is none of that name; or the class given as `error`.
            DatasetError: its module lacks the attribute.
        """
        if ":" in name:
            return self._own(name)
        known = self.names()
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"did you mean {near[0]!r}? " if near else ""
            raise self._error(f"{self._kind}s: no {self._kind} {name!r}; {meant}There are {', '.join(known)}")
        module = importlib.import_module(f"{self._package}.{name}")
        found = getattr(module, self._attribute, None)
        if found is None:
            raise DatasetError(f"{module.__file__}: a module of {self._kind}s needs {self._attribute}")
        return found

    def _own(self, name: str) -> Any:
        try:
            return named_object(name)
        except NotImportable as error:
            raise self._error(f"{self._kind} {name!r}: {error}") from error

    def _modules(self) -> Iterator[tuple[str, Path]]:
        """Name and file of each plug-in."""
        for module in pkgutil.iter_modules(sys.modules[self._package].__path__):
            if not module.ispkg and module.name not in self._base:
                yield module.name, Path(getattr(module.module_finder, "path", "")) / f"{module.name}.py"

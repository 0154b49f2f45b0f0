"""ListedModules: what the modules of a folder define, found by listing it, such as tasks and perturbations."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from typing import TypeVar

T = TypeVar("T")


class ListedModules(Mapping[str, T]):
    """Name of a module -> what it defines.

    Names are listed on every access, and a module is imported when its entry is requested.

    Args:
        package: import name of the folder.
        attribute: the name in each module of what it defines.
    """

    def __init__(self, package: str, attribute: str) -> None:
        self._package, self._attribute = package, attribute

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(module.name for module in pkgutil.iter_modules(sys.modules[self._package].__path__)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, name: str) -> T:
        if name not in iter(self):
            raise KeyError(name)
        found: T = getattr(importlib.import_module(f"{self._package}.{name}"), self._attribute)
        return found

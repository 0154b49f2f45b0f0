"""The task families, found by listing this folder.

A family is one module with an instance `FAMILY` of `Family`, and one YAML file of wordings.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from embodio.model.tasks.base.family import Family
from embodio.model.tasks.errors import TaskError


@lru_cache(maxsize=1)
def families() -> Mapping[str, Family[Any]]:
    """Name -> family, in alphabetical order."""
    found = (importlib.import_module(f"{__name__}.{module.name}").FAMILY for module in pkgutil.iter_modules(__path__))
    return {family.name: family for family in sorted(found, key=lambda one: one.name)}


def family_named(name: str) -> Family[Any]:
    """A family by its name; raises TaskError with the nearest name."""
    known = families()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise TaskError(
            f"no family {name!r}; " + (f"did you mean {near[0]!r}?" if near else f"there are {list(known)}")
        )
    return known[name]

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
    """Name -> family, in alphabetical order; raises TaskError for a module without `FAMILY`."""
    found: dict[str, Family[Any]] = {}
    for listed in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{listed.name}")
        family = getattr(module, "FAMILY", None)
        if not isinstance(family, Family):
            raise TaskError(f"{module.__file__}: a module of families needs FAMILY = an instance of Family")
        found[family.name] = family
    return dict(sorted(found.items()))


def family_named(name: str) -> Family[Any]:
    """A family by its name; raises TaskError with the nearest name."""
    known = families()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise TaskError(
            f"no family {name!r}; " + (f"did you mean {near[0]!r}?" if near else f"there are {list(known)}")
        )
    return known[name]

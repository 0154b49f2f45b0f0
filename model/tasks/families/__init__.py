"""The task families, found by listing this folder.

A family is one module with an instance `FAMILY` of `Family`, and one YAML file of wordings. One of your own is a module
that can be imported, which holds its wordings too, and is named as module:NAME wherever a family is named.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from embodio.model.own_code import NotImportable, named_object
from embodio.model.tasks.base.family import Family
from embodio.model.tasks.errors import TaskError
from embodio.model.tasks.prompts.wording import add_wordings

_TAKEN: dict[str, str] = {}
"""Name of a family of your own -> module:NAME that has it."""


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
    """A family by its name, or one of your own by module:NAME.

    Raises:
        TaskError: there is none of that name, with the nearest one; or the module does not have it.
        PromptError: one of your own has wordings that are none.
    """
    if ":" in name:
        return _own_family(name)
    known = families()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise TaskError(
            f"no family {name!r}; " + (f"did you mean {near[0]!r}?" if near else f"there are {list(known)}")
        )
    return known[name]


@cache
def _own_family(name: str) -> Family[Any]:
    try:
        found = named_object(name)
    except NotImportable as error:
        raise TaskError(f"family {name!r}: {error}") from error
    if not isinstance(found, Family):
        raise TaskError(f"family {name!r}: it is a {type(found).__name__}, not an instance of Family")
    if found.name in families() or _TAKEN.setdefault(found.name, name) != name:
        raise TaskError(f"family {name!r}: there is a family {found.name!r} already; take another name")
    add_wordings(found.name, found.wordings)
    return found

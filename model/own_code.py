"""Objects of somebody's own code, named as module:NAME."""

from __future__ import annotations

import importlib
from typing import Any


class NotImportable(ValueError):
    """There is no such module, it is broken, or it lacks the name."""


def named_object(name: str) -> Any:
    """What the name `module:NAME` stands for; raises NotImportable with what is wrong."""
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, SyntaxError, TypeError, ValueError) as error:
        raise NotImportable(f"{error}; expected module:NAME of what PYTHONPATH reaches") from error

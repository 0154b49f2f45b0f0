"""The scripts of the repository as modules."""

from __future__ import annotations

import importlib.util
import types

from tests.support.rooms import REPO


def script(name: str) -> types.ModuleType:
    """A script as a module of its own."""
    spec = importlib.util.spec_from_file_location(f"embodio_{name}", REPO / "scripts" / f"{name}.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

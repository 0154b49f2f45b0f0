"""The sources of the corpus, found by listing this folder.

A source is one module with the source's name and an object `SOURCE`, a `CorpusSource` or `Trajectories`.
"""

from __future__ import annotations

import importlib
import pkgutil

from embodio.datasets.corpus.source import CorpusError, CorpusSource
from embodio.datasets.corpus.trajectories import Trajectories


def source_names() -> tuple[str, ...]:
    """The names, in alphabetical order; nothing is imported."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def named_source(name: str) -> CorpusSource | Trajectories:
    """A source by its name, which is that of its module; raises CorpusError that lists the names."""
    if name not in source_names():
        raise CorpusError(f"sources: there is not a source {name!r}; there are {', '.join(source_names())}")
    module = importlib.import_module(f"{__name__}.{name}")
    source: CorpusSource | Trajectories | None = getattr(module, "SOURCE", None)
    if source is None:
        raise CorpusError(f"{module.__file__}: a module of sources needs SOURCE = a CorpusSource or Trajectories")
    return source

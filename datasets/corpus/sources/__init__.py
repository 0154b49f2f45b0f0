"""The sources of the corpus, found by listing this folder.

A source is one module with the source's name and an object `SOURCE`, a `CorpusSource` or `Trajectories`.
"""

from __future__ import annotations

from embodio.datasets.corpus.source import CorpusError, CorpusSource
from embodio.datasets.corpus.trajectories import Trajectories
from embodio.datasets.plug_ins import PlugIns

_SOURCES = PlugIns(__name__, "SOURCE", kind="source", error=CorpusError)


def source_names() -> tuple[str, ...]:
    """The names, in alphabetical order; nothing is imported."""
    return tuple(_SOURCES.names())


def named_source(name: str) -> CorpusSource | Trajectories:
    """A source by its name, which is that of its module; raises CorpusError that lists the names."""
    source: CorpusSource | Trajectories = _SOURCES.named(name)
    return source

"""Data sets: any layout in, RLDS and LeRobot out, statistics, trajectories to examples; docs/data.md shows how.

The way from files to batches, by file:

    source       `open_source`, `EpisodeSource`           sources/     LeRobot, HDF5, VIMA; descriptions in YAML
    rlds/        RLDS without TensorFlow, in and out      catalogue/   descriptions of public sets
    statistics   of the numbers, kept with the data       tasks/       moments of episodes -> Examples
    mixture, order   which record stands where            augment*     one draw for an example
    stream       Examples -> numbered batches             loader       workers and threads that make them ahead

Next to it: `collect` and `recording` write episodes, `conversion` other layouts, `verify*` and `visualise*` check and
show them, `inspect_source` proposes a description.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embodio.datasets.episodes.source import EpisodeSource, EpisodeView
    from embodio.datasets.episodes.statistics import compute_statistics
    from embodio.datasets.errors import (
        CollectionError,
        CollectionMismatch,
        CorruptRecordError,
        DatasetError,
        FeatureError,
    )
    from embodio.datasets.opening import open_source
    from embodio.datasets.recording.collect import CollectionSummary
    from embodio.datasets.rlds.episode import Episode
    from embodio.datasets.rlds.reader import RLDSReader
    from embodio.datasets.rlds.writer import RLDSWriter

# Loaded on first use: reading episodes shall not import a simulator, and collecting them shall not import torch. The
# function `collect` stays in its module `embodio.datasets.recording.collect`, which has the same name.
_HOMES = {
    "CollectionError": "errors",
    "CollectionMismatch": "errors",
    "CollectionSummary": "recording.collect",
    "CorruptRecordError": "errors",
    "DatasetError": "errors",
    "Episode": "rlds.episode",
    "EpisodeSource": "episodes.source",
    "EpisodeView": "episodes.source",
    "FeatureError": "errors",
    "RLDSReader": "rlds.reader",
    "RLDSWriter": "rlds.writer",
    "compute_statistics": "episodes.statistics",
    "open_source": "opening",
}

__all__ = [
    "CollectionError",
    "CollectionMismatch",
    "CollectionSummary",
    "CorruptRecordError",
    "DatasetError",
    "Episode",
    "EpisodeSource",
    "EpisodeView",
    "FeatureError",
    "RLDSReader",
    "RLDSWriter",
    "compute_statistics",
    "open_source",
]


def __getattr__(name: str) -> Any:
    """Imports a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)

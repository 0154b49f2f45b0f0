"""Data sets: RLDS in and out, statistics, trajectories to examples."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embodio.datasets.collect import CollectionSummary
    from embodio.datasets.errors import (
        CollectionError,
        CollectionMismatch,
        CorruptRecordError,
        DatasetError,
        FeatureError,
    )
    from embodio.datasets.rlds.episode import Episode
    from embodio.datasets.rlds.reader import RLDSReader
    from embodio.datasets.rlds.writer import RLDSWriter
    from embodio.datasets.statistics import compute_statistics

# Loaded on first use: reading episodes shall not import a simulator, and collecting them shall not import torch. The
# function `collect` stays in its module `embodio.datasets.collect`, which has the same name.
_HOMES = {
    "CollectionError": "errors",
    "CollectionMismatch": "errors",
    "CollectionSummary": "collect",
    "CorruptRecordError": "errors",
    "DatasetError": "errors",
    "Episode": "rlds.episode",
    "FeatureError": "errors",
    "RLDSReader": "rlds.reader",
    "RLDSWriter": "rlds.writer",
    "compute_statistics": "statistics",
}

__all__ = [
    "CollectionError",
    "CollectionMismatch",
    "CollectionSummary",
    "CorruptRecordError",
    "DatasetError",
    "Episode",
    "FeatureError",
    "RLDSReader",
    "RLDSWriter",
    "compute_statistics",
]


def __getattr__(name: str) -> Any:
    """Imports a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)

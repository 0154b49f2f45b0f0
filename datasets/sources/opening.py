"""From a name or a path to an open data set."""

from __future__ import annotations

from pathlib import Path

from embodio.datasets.errors import DatasetError
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.source import EpisodeSource


def open_any(name_or_path: str | Path, *, folder: str | Path | None, split: str | None) -> EpisodeSource:
    """Opens a data set; arguments and errors as in `embodio.datasets.source.open_source`."""
    path = Path(name_or_path)
    if (path / "dataset_info.json").exists():
        return RLDSReader(path, split or "train")
    raise DatasetError(f"{path} holds no data set of a known layout: RLDS (dataset_info.json)")

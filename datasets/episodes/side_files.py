"""Small cache files next to a data set, named by a hash of what they were made from."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.files.names import inside
from embodio.datasets.files.sealed_json import sealed, unsealed
from embodio.datasets.rlds.pieces.record_index import INDEX_NAME, SIDE_FOLDER
from embodio.model.writing import write_cached


def data_folder(source: EpisodeSource) -> Path | None:
    """The folder that a source reads, or None if it is not on this machine."""
    for name in ("folder", "path", "root"):
        value = getattr(source, name, None)
        if isinstance(value, str | Path) and Path(value).exists():
            path = Path(value)
            return path if path.is_dir() else path.parent
    return None


def fingerprint(source: EpisodeSource, **transform: Any) -> str | None:
    """A hash of a data set and of the processing applied to it.

    It covers name, features, number of episodes, how the source was opened, and name, size and times of change of every
    file; not their content, which would take as long as reading them. One of the times is when a file was written or
    put in its place, which no copying tool can set.

    Args:
        source: the data set.
        **transform: anything that goes into JSON.

    Returns:
        32 hexadecimal digits; None if the data has no folder on this machine, so that nothing can be cached.
    """
    folder = data_folder(source)
    if folder is None:
        return None
    files = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name != INDEX_NAME:
                path = Path(parent) / name
                status = path.stat()
                changed = status.st_mtime_ns, status.st_ctime_ns
                files.append((str(path.relative_to(folder)), status.st_size, *changed))
    content = {
        "name": source.name,
        "kind": type(source).__qualname__,
        "split": getattr(source, "split", None),
        "description": getattr(source, "description", None),
        "features": source.features.to_json(),
        "episodes": len(source),
        "files": files,
        "transform": transform,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:32]


def load_side_file(source: EpisodeSource, kind: str, key: str | None) -> Any:
    """The content saved under `key`, or None if it is missing or damaged."""
    path = _path(source, kind, key)
    try:
        return None if path is None else unsealed(path.read_bytes())
    except OSError:  # not there: it is only a shortcut
        return None


def save_side_file(source: EpisodeSource, kind: str, key: str | None, content: Mapping[str, Any]) -> None:
    """Saves `content` under `key`; a folder that cannot be written does without."""
    path = _path(source, kind, key)
    if path is not None:
        write_cached(path, sealed(content).encode())


def _path(source: EpisodeSource, kind: str, key: str | None) -> Path | None:
    folder = data_folder(source)
    if folder is None or key is None:
        return None
    return inside(folder, f"{SIDE_FOLDER}/{kind}-{key}.json", folder)

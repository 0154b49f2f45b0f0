"""The RLDS layout: the choice of the version folder that holds the data set."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from embodio.datasets.errors import DatasetError
from embodio.datasets.files.remote import child_folders
from embodio.datasets.rlds.dataset_info import INFO_NAME
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.sources.layouts import Layout

_VERSION = re.compile(r"\d+\.\d+\.\d+")
_log = logging.getLogger(__name__)


def _holds(path: Path) -> bool:
    return path.is_dir() and any(any(path.glob(f"{below}{INFO_NAME}")) for below in ("", "*/", "*/*/"))


def _opened(place: Path | str, split: str | None, instruction: str) -> RLDSReader:
    return RLDSReader(version_folder(place), split or "train")


def version_folder(path: Path | str) -> Path | str:
    """The folder itself, or the highest version below it ("1.0.0"), also below a single configuration."""
    if isinstance(path, str):
        return _version_behind(path.rstrip("/"))
    if (path / INFO_NAME).exists() or not path.is_dir():
        return path
    versions = [found.parent for found in path.glob(f"*/{INFO_NAME}")] or [
        found.parent for found in path.glob(f"*/*/{INFO_NAME}")
    ]
    parents = sorted({version.parent.name for version in versions})
    if len(parents) > 1:
        raise DatasetError(f"{path} holds several data sets: {', '.join(parents)}. Give the folder of one of them")
    return path / _newest(path, [version.relative_to(path).as_posix() for version in versions]) if versions else path


def _version_behind(url: str) -> str:
    """As `version_folder`, for a URL."""
    versions = [] if _VERSION.fullmatch(url.rpartition("/")[2]) else child_folders(url)
    versions = [name for name in versions if _VERSION.fullmatch(name)]
    return f"{url}/{_newest(url, versions)}" if versions else url


def _newest(place: Path | str, versions: list[str]) -> str:
    newest = max(versions, key=lambda name: _version_key(name.rpartition("/")[2]))
    if len(versions) > 1:
        others = ", ".join(sorted(name for name in versions if name != newest))
        _log.warning("%s: version %s is the newest and is taken; there are also %s", place, newest, others)
    return newest


def _version_key(name: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else -1 for part in name.split("."))


LAYOUT = Layout("rlds", "RLDS (dataset_info.json, also one folder down in a version)", _holds, _opened, rank=2)

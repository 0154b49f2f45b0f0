"""From a name or a path to an open data set."""

from __future__ import annotations

import difflib
import logging
import os
import re
from pathlib import Path

from embodio.datasets.catalogue import catalogue_names, catalogue_path
from embodio.datasets.errors import DatasetError
from embodio.datasets.rlds.dataset_info import INFO_NAME
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.rlds.remote import child_folders, fetch, folder_of, has_file, is_url, name_of
from embodio.datasets.source import EpisodeSource
from embodio.datasets.sources.description import Description
from embodio.datasets.sources.file_trees import is_archive
from embodio.datasets.sources.guesses import warn_of_guesses
from embodio.datasets.sources.hdf5 import HDF5Source
from embodio.datasets.sources.lerobot import LeRobotSource
from embodio.datasets.sources.mapped import MappedSource
from embodio.datasets.sources.vima import VimaSource

ROOT_VARIABLE = "EMBODIO_DATA"
_HDF5 = (".hdf5", ".h5")
_YAML = (".yaml", ".yml")
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_log = logging.getLogger(__name__)


def open_any(name_or_path: str | Path, *, folder: str | Path | None, split: str | None) -> EpisodeSource:
    """Opens a data set and warns of guesses about it; arguments and errors as in `embodio.datasets.open_source`."""
    source = _open(name_or_path, folder, split)
    warn_of_guesses(source, name_or_path)
    return source


def _open(name_or_path: str | Path, folder: str | Path | None, split: str | None) -> EpisodeSource:
    text, path = str(name_or_path), Path(name_or_path)
    if is_url(text):
        return open_files(text, layout_behind(text), split)
    if text in catalogue_names() and not path.exists():
        return open_described(Description.load(catalogue_path(text)), folder=folder, split=split)
    if path.suffix.lower() in _YAML and path.is_file():
        return open_described(Description.load(path), folder=folder, split=split)
    if not path.exists():
        near = difflib.get_close_matches(text, catalogue_names(), n=3)
        known = f"did you mean {' or '.join(near)}?" if near else f"the names are {', '.join(catalogue_names())}"
        raise DatasetError(f"{text}: there is no such file, folder or name of the catalogue; {known}")
    return open_files(path, layout_of(path), split)


def open_described(description: Description, *, folder: str | Path | None, split: str | None) -> MappedSource:
    """Opens the files of a description; errors as in `open_any`."""
    path = _place(description, folder)
    base = open_files(path, description.kind, split or description.split, description.instruction.text)
    return MappedSource(base, description)


def open_files(path: Path | str, kind: str, split: str | None, instruction: str = "") -> EpisodeSource:
    """Opens files of a known layout, without a description; what is behind a URL, which stays text, is no path yet."""
    if kind == "lerobot":
        return LeRobotSource(path, split=split)
    if kind == "rlds":
        return RLDSReader(_version_of(path), split or "train")
    if isinstance(path, str):
        if kind == "vima" and not is_archive(Path(name_of(path))):
            raise DatasetError(
                f"{path}: VIMA data behind a URL is one tar or zip. Give its address, or fetch the folder"
            )
        path = fetch(path, folder_of(path))
    return HDF5Source(path, split=split, instruction=instruction) if kind == "hdf5" else VimaSource(path, split=split)


def layout_behind(url: str) -> str:
    """As `layout_of`, for a URL; RLDS unless something else is seen."""
    name = Path(name_of(url))
    if name.suffix.lower() in _HDF5:
        return "hdf5"
    if is_archive(name):
        return "vima"
    return "lerobot" if has_file(f"{url.rstrip('/')}/meta/info.json") else "rlds"


def layout_of(path: Path) -> str:
    """The layout of a file or folder, one of `description.KINDS`.

    Raises:
        DatasetError: it is of none; says what was looked for.
    """
    if path.is_file():
        if path.suffix.lower() in _HDF5:
            return "hdf5"
        if is_archive(path):
            return "vima"
    elif (path / "meta" / "info.json").exists():
        return "lerobot"
    elif any(any(path.glob(f"{below}{INFO_NAME}")) for below in ("", "*/", "*/*/")):
        return "rlds"
    elif any(path.rglob("trajectory.pkl")) or any(is_archive(file) for file in path.iterdir()):
        return "vima"
    raise DatasetError(
        f"{path} holds no data set of a known layout: RLDS (dataset_info.json, also one folder down in a version), "
        f"LeRobot v3 (meta/info.json), HDF5 ({', '.join(_HDF5)}), VIMA (<task>/<6 digits>/trajectory.pkl, tar or zip)"
    )


def _version_of(path: Path | str) -> Path | str:
    """The folder itself, or the highest version below it ("1.0.0"), also below the only configuration there."""
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
    """As `_version_of`, for a URL."""
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


def _place(description: Description, folder: str | Path | None) -> Path | str:
    """Where the files of a description are: a path, or a URL as text."""
    if folder is not None:
        return str(folder) if is_url(folder) else _existing(Path(folder), description)
    if is_url(description.folder):
        return description.folder
    named = Path(description.folder)
    root = os.environ.get(ROOT_VARIABLE)
    if root and is_url(root) and description.folder and not named.is_absolute():
        return f"{root.rstrip('/')}/{description.folder}"
    tried = [named] if named.is_absolute() else [description.path.parent / named]
    if root and not named.is_absolute():
        tried.append(Path(root) / named)
    for path in tried:
        if description.folder and path.exists():
            return path
    raise DatasetError(
        f"the files of {description.name!r} are not there. Fetch them from {description.origin or 'their publisher'} "
        f"and give the folder (folder=...), or set {ROOT_VARIABLE} to the folder that holds {description.folder}"
    )


def _existing(path: Path, description: Description) -> Path:
    if not path.exists():
        origin = description.origin or "its publisher"
        raise DatasetError(f"{path} is not there. Fetch {description.name!r} from {origin}")
    return path

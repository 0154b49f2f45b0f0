"""Episodes in HDF5: robomimic and its relatives, ALOHA, ManiSkill, Minari; in one file or a folder of them."""

from __future__ import annotations

from pathlib import Path

from embodio.datasets.files.remote import fetch, folder_of, name_of
from embodio.datasets.sources.hdf5.files import SUFFIXES, files_below, is_hdf5
from embodio.datasets.sources.hdf5.source import HDF5Source
from embodio.datasets.sources.layouts import Layout

__all__ = ["LAYOUT", "HDF5Source"]


def _holds(path: Path) -> bool:
    """Whether a file, or one below a folder, is HDF5; folders that are LeRobot's may hold such files too."""
    if path.is_file():
        return is_hdf5(path)
    return not (path / "meta" / "info.json").exists() and bool(files_below(path))


def _opened(place: Path | str, split: str | None, instruction: str) -> HDF5Source:
    if isinstance(place, str):
        place = fetch(place, folder_of(place))
    return HDF5Source(place, split=split, instruction=instruction)


LAYOUT = Layout(
    "hdf5",
    f"HDF5 ({', '.join(SUFFIXES)}, one file or a folder of them)",
    _holds,
    _opened,
    behind=lambda url: Path(name_of(url)).suffix.lower() in SUFFIXES,
)

"""Episodes in HDF5: robomimic and its relatives, ALOHA, ManiSkill, Minari; in one file or a folder of them."""

from __future__ import annotations

from pathlib import Path

from embodio.datasets.files.remote import fetch, folder_of, name_of
from embodio.datasets.sources.hdf5.files import SUFFIXES, files_below, is_hdf5
from embodio.datasets.sources.hdf5.source import HDF5Source
from embodio.datasets.sources.layouts import Layout

__all__ = ["LAYOUT", "HDF5Source"]


def _holds(path: Path) -> bool:
    return is_hdf5(path) if path.is_file() else bool(files_below(path))


def _opened(place: Path | str, split: str | None, instruction: str) -> HDF5Source:
    if isinstance(place, str):
        place = fetch(place, folder_of(place))
    return HDF5Source(place, split=split, instruction=instruction)


LAYOUT = Layout(
    "hdf5",
    f"HDF5 ({', '.join(SUFFIXES)}, one file or a folder of them)",
    _holds,
    _opened,
    named=lambda url: Path(name_of(url)).suffix.lower() in SUFFIXES,
    rank=5,
)

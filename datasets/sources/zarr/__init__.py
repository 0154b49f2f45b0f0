"""Replay buffers in zarr, in a folder or a zip."""

from __future__ import annotations

from pathlib import Path

from embodio.datasets.errors import DatasetError
from embodio.datasets.files.remote import fetch, folder_of, is_url, name_of
from embodio.datasets.sources.layouts import Layout
from embodio.datasets.sources.zarr.source import ZarrSource
from embodio.datasets.sources.zarr.store import holds_store

__all__ = ["LAYOUT", "ZarrSource"]


def _opened(place: Path | str, split: str | None, instruction: str) -> ZarrSource:
    if isinstance(place, str) and is_url(place):
        if not _is_zip(place):
            raise DatasetError(f"{place}: a zarr buffer behind a URL is one .zarr.zip. Give its address, or fetch it")
        place = fetch(place, folder_of(place))
    return ZarrSource(place, split=split, instruction=instruction)


def _is_zip(url: str) -> bool:
    return name_of(url).lower().endswith(".zarr.zip")


LAYOUT = Layout(
    "zarr", "zarr (data/* and meta/episode_ends, folder or zip)", holds_store, _opened, behind=_is_zip, rank=4
)

"""References from an HDF5 file to other files, which HDF5 opens by itself and which are therefore refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from embodio.datasets.errors import UnsafeName


def require_own(path: Path, file: Any) -> None:
    """Checks that a file is self-contained.

    Args:
        path: of the file.
        file: the same, an open `h5py.File`.

    Raises:
        UnsafeName: a link leads into another file, or the numbers of a data set are kept in one.
    """
    import h5py

    def link_away(name: str, link: Any) -> tuple[str, str] | None:
        return (name, link.filename) if isinstance(link, h5py.ExternalLink) else None

    def numbers_away(name: str, item: Any) -> tuple[str, str] | None:
        if not isinstance(item, h5py.Dataset):
            return None
        kept = item.id.get_create_plist()
        others = [kept.get_external(number)[0] for number in range(kept.get_external_count())]
        if kept.get_layout() == h5py.h5d.VIRTUAL:
            others += [source.file_name for source in item.virtual_sources()]
        return next(((name, os.fsdecode(other)) for other in others if other != "."), None)  # "." is the file itself

    # The return value of a visitor ends the visit; an exception would be lost in HDF5.
    found = file.visititems_links(link_away) or file.visititems(numbers_away)
    if found is not None:
        name, other = found
        raise UnsafeName(path, other, f"is where {name} leads; copy what is there into the file")

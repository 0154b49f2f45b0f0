"""HDF5 files that name other files: nothing else is opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from embodio.datasets.errors import UnsafeName
from embodio.datasets.opening import open_source


def link(group: Any, private: Path) -> None:
    group["secret"] = h5py.ExternalLink(str(private), "/numbers")


def link_behind_a_link(group: Any, private: Path) -> None:
    group.file["away"] = h5py.ExternalLink(str(private), "/")
    group["secret"] = h5py.SoftLink("/away/numbers")


def external(group: Any, private: Path) -> None:
    group.create_dataset("secret", (4, 2), "u1", external=[(str(private), 0, 8)])


def virtual(group: Any, private: Path) -> None:
    layout = h5py.VirtualLayout((4, 2), "f8")
    layout[:] = h5py.VirtualSource(str(private), "numbers", (4, 2))
    group.create_virtual_dataset("secret", layout)


def write(path: Path, add: Callable[[Any], object]) -> Path:
    with h5py.File(path, "w") as file:
        group = file.create_group("data/demo_0")
        group["actions"] = np.zeros((4, 2))
        group["obs/state"] = np.zeros((4, 3))
        add(group["obs"])
    return path


@pytest.mark.parametrize("attack", [link, link_behind_a_link, external, virtual])
def test_other_files_are_refused(attack: Callable[[Any, Path], None], tmp_path: Path) -> None:
    with h5py.File(tmp_path / "private.h5", "w") as file:
        file["numbers"] = np.full((4, 2), 42.0)
    path = write(tmp_path / "data.hdf5", lambda group: attack(group, tmp_path / "private.h5"))
    with pytest.raises(UnsafeName, match=r"data\.hdf5: the name .*private\.h5"):
        open_source(path)


def test_what_is_in_the_file_itself_is_read(tmp_path: Path) -> None:
    def add(group: Any) -> None:
        group["again"] = h5py.SoftLink("/data/demo_0/obs/state")
        layout = h5py.VirtualLayout((4, 3), "f8")
        layout[:] = h5py.VirtualSource(".", "/data/demo_0/obs/state", (4, 3))
        group.create_virtual_dataset("virtual", layout)

    episode = open_source(write(tmp_path / "data.hdf5", add)).episode(0)
    for name in ("again", "virtual"):
        assert episode.array(f"observation/{name}").shape == (4, 3)

"""Layouts are found by listing the folder of sources; adding one is adding a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import embodio.datasets.sources
from embodio.datasets.errors import DatasetError
from embodio.datasets.sources.layouts import kinds, layout_named, layout_of, layouts

ADDED = """
from embodio.datasets.sources.layouts import Layout
LAYOUT = Layout("scrolls", "scrolls (.scroll)", lambda path: path.suffix == ".scroll", lambda place, split, text: place)
"""


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "added_scrolls.py").write_text(ADDED)
    monkeypatch.setattr(embodio.datasets.sources, "__path__", [*embodio.datasets.sources.__path__, str(tmp_path)])
    layouts.cache_clear()
    yield tmp_path
    layouts.cache_clear()
    sys.modules.pop("embodio.datasets.sources.added_scrolls", None)


def test_a_file_adds_a_layout(added: Path) -> None:
    (added / "old.scroll").write_text("")
    assert layout_of(added / "old.scroll").kind == "scrolls"
    assert layout_named("scrolls").opened(added, None, "") == added


def test_layouts_of_this_library() -> None:
    assert {"rlds", "lerobot", "hdf5", "vima"} <= set(kinds()) and "scrolls" not in kinds()
    with pytest.raises(DatasetError, match=r"kind: 'scrolls', expected one of .*rlds"):
        layout_named("scrolls")


def test_what_is_of_no_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no data set of a known layout: HDF5 .*LeRobot.*RLDS.*VIMA"):
        layout_of(tmp_path)

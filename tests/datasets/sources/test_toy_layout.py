"""A new data format is one new file: everything that reads data sets finds it in the folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from embodio.datasets import sources
from embodio.datasets.checks.verify import verify
from embodio.datasets.errors import DatasetError
from embodio.datasets.opening import open_source
from embodio.datasets.sources.layouts import layouts

TOY = '''
"""Tables of text: one file an episode, one line a step, the instruction in the first line."""

import functools
import numpy as np
from embodio.datasets.episodes.features import INSTRUCTION, EpisodeFeatures, TensorFeature, TextFeature
from embodio.datasets.errors import DatasetError
from embodio.datasets.sources.columns import ColumnEpisode
from embodio.datasets.sources.layouts import Layout


class ToySource:
    name = "toy"
    features = EpisodeFeatures({"action": TensorFeature("float32", (2,)), INSTRUCTION: TextFeature()}, {})

    def __init__(self, path, split, instruction):
        self.path, self.files = path, sorted(path.glob("*.table"))

    @property
    def embodiment(self):
        raise DatasetError(f"{self.path} does not describe its robot")

    def __len__(self):
        return len(self.files)

    def episode_length(self, index):
        return len(self._lines(index)) - 1

    def episode(self, index):
        told, *steps = self._lines(index)
        numbers = np.array([line.split() for line in steps], np.float32)
        columns, texts = {"action": lambda: numbers}, {INSTRUCTION: lambda step: told}
        return ColumnEpisode(self.features, len(steps), columns=columns, frames={}, texts=texts, episode={})

    def close(self):
        pass

    def _lines(self, index):
        return self.files[index].read_text().splitlines()


LAYOUT = Layout("table", "a folder of tables (*.table)", lambda path: any(path.glob("*.table")), ToySource)
'''

DESCRIPTION = """\
kind: table
folder: data
name: tables
action: [action]
instruction: {text: "sort the blocks"}
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of two episodes in a format that one new module reads."""
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "toy_table.py").write_text(TOY)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "0.table").write_text("push the cube\n0 1\n2 3\n4 5\n")
    (tmp_path / "data" / "1.table").write_text("lift the cube\n6 7\n")
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(tmp_path / "new")])
    layouts.cache_clear()
    yield tmp_path / "data"
    layouts.cache_clear()
    sys.modules.pop("embodio.datasets.sources.toy_table", None)


def test_the_folder_opens_by_what_it_holds(data: Path) -> None:
    source = open_source(data)
    assert len(source) == 2 and [source.episode_length(index) for index in (0, 1)] == [3, 1]
    np.testing.assert_array_equal(source.episode(0).array("action"), [[0, 1], [2, 3], [4, 5]])
    assert source.episode(1).instruction == "lift the cube"


def test_a_description_and_the_checks_know_it(data: Path) -> None:
    page = data.parent / "tables.yaml"
    page.write_text(DESCRIPTION)
    source = open_source(page)
    assert source.name == "tables" and source.episode(0).instruction == "sort the blocks"
    assert {finding.check for finding in verify(source)} >= {"finite numbers"}


def test_the_message_about_other_folders_names_it(data: Path) -> None:
    (data.parent / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"a folder of tables \(\*\.table\)"):
        open_source(data.parent / "empty")

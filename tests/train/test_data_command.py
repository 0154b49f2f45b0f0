"""`embodio-data` on a small data set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from embodio.datasets.errors import DatasetError
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.source import open_source
from embodio.model.statistics import DatasetStatistics
from embodio.train.data import main
from tests.datasets.toy import write_toy_dataset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_toy_dataset(tmp_path / "toy", episodes=2, steps=3)


def test_the_proposed_description_opens_the_same_data(folder: Path, tmp_path: Path) -> None:
    proposal = tmp_path / "toy.yaml"
    assert main(["inspect", f"source={folder}", f"out={proposal}"]) == 0
    source, plain = open_source(proposal), RLDSReader(folder)
    assert source.embodiment == plain.embodiment
    for index in range(2):
        described, episode = source.episode(index), plain.episode(index)
        assert np.array_equal(described.array("action"), episode.array("action"))
        assert np.array_equal(described.array("state"), episode.array("state"))
        assert np.array_equal(described.frame("hand", 2), episode.frame("hand", 2))
        assert described.instruction == episode.instruction == "lift the cube"
    assert main(["inspect", f"source={proposal}"]) == 0


def test_what_only_a_person_knows_must_be_filled_in(folder: Path, tmp_path: Path) -> None:
    (folder / "embodiment.json").unlink()
    proposal = tmp_path / "toy.yaml"
    assert main(["inspect", f"source={folder}", f"out={proposal}"]) == 0
    with pytest.raises(DatasetError, match="FILL IN"):
        open_source(proposal)


def test_statistics(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "stats.json"
    assert main(["stats", f"source={folder}", "fields=[action,state]", f"out={out}"]) == 0
    found = DatasetStatistics.from_dict(json.loads(out.read_text()))
    values = np.concatenate([episode.array("action") for episode in RLDSReader(folder)])
    assert found.field("action").names == ("x", "turn", "gripper")
    assert np.allclose(found.field("action").mean, values.mean(axis=0))
    assert found.field("state").count == 6
    assert "gripper" in capsys.readouterr().out


def test_convert(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "copy"
    assert main(["convert", f"source={folder}", f"out={out}", "name=copy"]) == 0
    assert np.array_equal(RLDSReader(out).episode(1).frame("hand", 1), RLDSReader(folder).episode(1).frame("hand", 1))
    assert RLDSReader(out).embodiment == RLDSReader(folder).embodiment
    assert main(["convert", f"source={folder}", f"out={out}", "name=copy"]) == 1


def test_mistakes(folder: Path) -> None:
    assert main([]) == 2
    assert main(["stats", f"source={folder}", "fields=[speed]"]) == 1
    assert main(["inspect", "source=nowhere"]) == 1
    assert main(["--help"]) == 0

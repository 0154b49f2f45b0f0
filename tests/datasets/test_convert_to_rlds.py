"""VIMA, HDF5 and mapped data as RLDS, value for value."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from embodio.datasets.convert_to_rlds import convert_to_rlds
from embodio.datasets.errors import DatasetError
from embodio.datasets.rlds.features import ImageFeature, TextFeature
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.source import EpisodeSource, open_source
from tests.datasets.sources.test_vima import write_episode


def assert_same(source: EpisodeSource, folder: Path) -> None:
    reader = RLDSReader(folder)
    assert len(reader) == len(source)
    for index in range(len(source)):
        old, new = source.episode(index), reader.episode(index)
        assert len(old) == len(new) == reader.episode_length(index)
        for path, feature in source.features.steps.items():
            for step in range(len(old)):
                if isinstance(feature, ImageFeature):
                    assert np.array_equal(old.frame(path, step), new.frame(path, step)), path
                elif isinstance(feature, TextFeature):
                    assert old.text(path, step) == new.text(path, step)
                else:
                    assert np.array_equal(old.array(path), new.array(path)), path
        for path in source.features.episode:
            assert np.array_equal(old.value(path), new.value(path)), path


def test_vima(tmp_path: Path) -> None:
    write_episode(tmp_path / "rotate" / "000000", 2, 3)
    source = open_source(tmp_path / "rotate")
    counts: list[int] = []
    convert_to_rlds(source, tmp_path / "rlds", "vima_rotate", done=counts.append)
    assert counts == [1]
    assert_same(source, tmp_path / "rlds")
    assert RLDSReader(tmp_path / "rlds").embodiment == source.embodiment


def test_hdf5(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    with h5py.File(tmp_path / "lift.hdf5", "w") as file:
        group = file.create_group("data/demo_0")
        group["actions"] = generator.normal(size=(3, 7)).astype(np.float32)
        group["obs/agentview_image"] = generator.integers(0, 256, (3, 8, 9, 3), np.uint8)
    source = open_source(tmp_path / "lift.hdf5")
    convert_to_rlds(source, tmp_path / "rlds", "lift")
    assert_same(source, tmp_path / "rlds")
    with pytest.raises(DatasetError, match="already holds"):
        convert_to_rlds(source, tmp_path / "rlds", "lift")

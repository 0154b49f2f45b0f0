"""Trajectories in a corpus: two data sets of different scenes, as `embodio-collect` writes them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from embodio.datasets.corpus.build import build_corpus
from embodio.datasets.corpus.source import CorpusRequest
from embodio.datasets.corpus.trajectories import Trajectories
from embodio.datasets.recording import collect as collecting
from embodio.datasets.rlds.reader import RLDSReader
from tests.support.datasets import far_engine
from tests.support.datasets.built_folders import unseen
from tests.support.datasets.fake_robot import FakeSource


def test_both_sides_are_collected_and_extended(tmp_path: Path) -> None:
    source = Trajectories(env="fake/plane", episodes=10, demonstrations=FakeSource())
    build_corpus(tmp_path / "out", {"plane": source}, CorpusRequest(0, limit=4), 1, unseen)
    build_corpus(tmp_path / "out", {"plane": source}, CorpusRequest(0), 1, unseen)
    entry = json.loads((tmp_path / "out/corpus.json").read_text())["sources"]["plane"]
    train, validation = (RLDSReader(tmp_path / "out/plane" / split) for split in ("train", "validation"))
    assert entry["records"] == {"train": len(train), "validation": len(validation)} and entry["layout"] == "episodes"
    assert len(train) > 4 and len(validation) == 1
    starts = [episode.array("observation/state")[0] for episode in train]
    assert not any(np.array_equal(start, validation.episode(0).array("observation/state")[0]) for start in starts)


def test_another_engine_collects_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def named(name: str) -> object:
        used.append(name)
        return far_engine.run

    used = list[str]()
    monkeypatch.setattr(collecting, "named_engine", named)
    source = Trajectories(env="fake/plane", episodes=4, demonstrations=FakeSource())
    for engine in ("local", "ray"):
        build_corpus(tmp_path / engine, {"plane": source}, CorpusRequest(0), 1, unseen, engine=engine)
    assert used == ["ray", "ray"], "both sides"
    here, there = (sorted((tmp_path / engine).rglob("*.tfrecord*")) for engine in ("local", "ray"))
    assert [path.read_bytes() for path in here] == [path.read_bytes() for path in there] != []

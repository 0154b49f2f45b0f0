"""The data suite: its batches hold what the files hold, in order and at random, and every figure is there."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from rich.progress import Progress

from embodio.benchmarks.speed.other_loaders import lerobot_row
from embodio.benchmarks.speed.suites import BenchmarkConfig
from embodio.benchmarks.speed.suites.data import _write, batches_of, run
from embodio.datasets.rlds.reader import RLDSReader


def test_batches_are_the_steps_of_the_files(tmp_path: Path) -> None:
    for halved in (False, True):
        folder = tmp_path / f"data{halved}"
        _write(folder, episodes=8, steps=10, side=32, halved_colours=halved)
        reader, stream = RLDSReader(folder), batches_of(folder)
        batch, damage = stream.make(0)
        assert not damage and batch["front"].shape == (64, 32, 32, 3)
        for row in (0, 9, 10, 63):
            task, record = stream.draw(stream.positions(0)[row])
            place = task.place(record)
            episode = reader.episode(place.episode)
            np.testing.assert_array_equal(batch["wrist"][row], episode.frame("wrist", place.step))
            np.testing.assert_array_equal(batch["action"][row], episode.array("action")[place.step])


def test_lerobot_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "lerobot is not installed" in lerobot_row(tmp_path, tmp_path / "copy", 1.0, 1.0).note


@pytest.mark.slow
def test_a_quick_run_gives_every_figure() -> None:
    rows = run(BenchmarkConfig("data", quick=True, repeats=1), Progress(disable=True))
    assert [row.name.partition(" of ")[0] for row in rows] == [
        "one process, two 128 px JPEGs, full colours",
        "one process, two 128 px JPEGs, halved colours",
        "LeRobot's loader",
        "the last step",
        "two workers",
        "memory after the last step",
        "first batch",
    ]
    assert all(row.value > 0 or "not installed" in row.note for row in rows)

"""The data suite: its batches hold what the files hold, in order and at random, and every figure is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rich.progress import Progress

from embodio.benchmarks.suites import BenchmarkConfig
from embodio.benchmarks.suites.data import FrameBatches, _write, run
from embodio.datasets.rlds.reader import RLDSReader


def test_batches_are_the_steps_of_the_files(tmp_path: Path) -> None:
    _write(tmp_path / "data", episodes=8, steps=10, side=32)
    reader = RLDSReader(tmp_path / "data")
    batch, damage = FrameBatches(tmp_path / "data").make(0)
    assert not damage and batch["front"].shape == (64, 32, 32, 3)
    for row in (0, 9, 10, 63):
        episode = reader.episode(row // 10)
        np.testing.assert_array_equal(batch["wrist"][row], episode.frame("wrist", row % 10))
        np.testing.assert_array_equal(batch["action"][row], episode.array("action")[row % 10])
    mixed, _ = FrameBatches(tmp_path / "data", random=True).make(0)
    assert not np.array_equal(mixed["action"], batch["action"])


@pytest.mark.slow
def test_a_quick_run_gives_every_figure() -> None:
    rows = run(BenchmarkConfig("data", quick=True, repeats=1), Progress(disable=True))
    assert [row.name.partition(" of ")[0] for row in rows] == [
        "one process, two 128 px JPEGs a step",
        "any step",
        "two workers",
        "memory after the last step",
        "first batch",
    ]
    assert all(row.value > 0 for row in rows)

"""Our files in the hands of TensorFlow Datasets and rlds, in a process of their own."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from embodio.datasets.demonstration import record_demonstration
from embodio.datasets.rlds import features_of, write_dataset
from tests.datasets.fake_robot import FakeEnv, FakeExpert, FakeSource, fake_embodiment

pytestmark = [
    pytest.mark.tf,
    pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="the extra `tf` is not installed"),
]


def test_tfds_and_rlds_read_the_same_steps(tmp_path: Path) -> None:
    embodiment, source = fake_embodiment(), FakeSource()
    records = []
    for seed in range(5):
        _, record = record_demonstration(
            FakeEnv(source), FakeExpert(source), embodiment, env_name="fake/plane", seed=seed, noise=0.2
        )
        assert record is not None
        records.append(record)
    write_dataset(tmp_path, "fake_plane", embodiment, features_of(embodiment), records, shard_bytes=4000)
    assert len(list(tmp_path.glob("*.tfrecord*"))) > 1

    program = Path(__file__).with_name("compare_with_tfds.py")
    done = subprocess.run([sys.executable, str(program), str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["episodes"] == 5
    # The frames are pure noise, the worst there is for the fast decoder; those of a camera differ by 1 on average.
    assert summary["mean"] < 2.5
    assert summary["largest"] < 64


def test_what_tfds_writes_is_read(tmp_path: Path) -> None:
    program = Path(__file__).with_name("write_with_tfds.py")
    done = subprocess.run([sys.executable, str(program), str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]

    from embodio.datasets import RLDSReader

    reader = RLDSReader(tmp_path / "tiny" / "1.0.0")
    seeds = sorted(episode.metadata["seed"] for episode in reader)
    assert seeds == [0, 1, 2]
    for episode in reader:
        seed = episode.metadata["seed"]
        assert episode.instruction == f"go to {seed} é"
        assert episode.array("action").tolist() == [[seed, step] for step in range(seed + 2)]
        assert np.array_equal(episode.frame("camera", 1), np.full((4, 5, 3), seed * 10 + 1, np.uint8))
        assert episode.array("label").tolist() == [1] * (seed + 2)
        assert episode.array("packed").tolist() == [[seed, step, 0.1] for step in range(seed + 2)]
        assert episode.array("raw").tolist() == [step == 1 for step in range(seed + 2)]
        assert episode.array("depth")[1].tolist() == np.full((3, 2, 1), seed + 1 / 3, np.float32).tolist()

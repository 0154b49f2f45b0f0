"""Our files in the hands of TensorFlow Datasets and rlds, in a process of their own."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio.datasets.conversion.conversion import convert
from embodio.datasets.opening import open_source
from embodio.datasets.recording.demonstration import record_demonstration
from embodio.datasets.rlds import features_of, write_dataset
from embodio.datasets.rlds.reader import RLDSReader
from tests.support.datasets.fake_robot import FakeEnv, FakeExpert, FakeSource, fake_embodiment
from tests.support.datasets.rich_data import write_rich

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

    program = Path(__file__).parents[3] / "tests" / "support" / "programs" / "compare_with_tfds.py"
    done = subprocess.run([sys.executable, str(program), str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["episodes"] == 5
    # The frames are pure noise, the worst there is for the fast decoder; those of a camera differ by 1 on average.
    assert summary["mean"] < 2.5
    assert summary["largest"] < 64


def test_tfds_reads_fields_of_every_kind(tmp_path: Path) -> None:
    convert(open_source(write_rich(tmp_path / "rich")), tmp_path / "out")
    program = Path(__file__).parents[3] / "tests" / "support" / "programs" / "compare_with_tfds.py"
    command = [sys.executable, str(program), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {"episodes": 3, "steps": 12, "largest": 0, "mean": 0.0}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What tfds writes, in both formats, and what it reads."""
    folder = tmp_path_factory.mktemp("tfds")
    program = Path(__file__).parents[3] / "tests" / "support" / "programs" / "write_with_tfds.py"
    done = subprocess.run([sys.executable, str(program), str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_what_tfds_writes_is_read(file_format: str, made: Path) -> None:
    read, folder = np.load(made / "read.npz", allow_pickle=True), made / file_format / "tiny" / "1.0.0"
    compared = 0
    for split in ("train", "test"):
        reader = RLDSReader(folder, split)
        assert not reader.features.unread
        for number, episode in enumerate(reader):
            seed = episode.metadata["seed"]
            assert len(episode) == seed + 2 and episode.instruction == f"go to {seed} é"
            assert episode.sequence("episode_metadata/names") == ("x",) * seed
            for step, values in enumerate(episode.steps()):
                for path, value in leaves(values, ""):
                    same(value, read[f"{split}|{number}|{step}|{path}"], path)
                    compared += 1
    assert compared == len(read.files)
    whole = RLDSReader(folder, "train+test")
    assert sorted(episode.metadata["seed"] for episode in whole) == [0, 1, 2, 5]


def leaves(tree: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        yield from leaves(value, f"{prefix}{name}/") if isinstance(value, dict) else [(f"{prefix}{name}", value)]


def same(ours: Any, theirs: np.ndarray, path: str) -> None:
    """Texts are bytes for tfds, and a tuple of ours is one array."""
    if isinstance(ours, str):
        assert ours.encode() == theirs.item(), path
    elif isinstance(ours, tuple) and all(isinstance(item, str) for item in ours):
        assert [item.encode() for item in ours] == theirs.tolist(), path
    elif isinstance(ours, tuple):
        assert np.array_equal(np.stack(ours), theirs), path
    else:
        assert np.array_equal(ours, theirs) and np.asarray(ours).dtype == theirs.dtype, path

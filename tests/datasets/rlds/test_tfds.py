"""Our files in the hands of TensorFlow Datasets and rlds, in a process of their own."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from embodio.datasets.checks.through_rlds import check_through_rlds
from embodio.datasets.conversion.conversion import convert
from embodio.datasets.errors import DatasetError
from embodio.datasets.opening import open_source
from embodio.datasets.recording.demonstration import record_demonstration
from embodio.datasets.rlds import features_of, write_dataset
from embodio.datasets.rlds.reader import RLDSReader
from embodio.train.commands.data.data import main as data_command
from tests.support.datasets.fake_robot import FakeEnv, FakeExpert, FakeSource, fake_embodiment
from tests.support.datasets.rich_data import write_rich
from tests.support.rooms import REPO

pytestmark = [
    pytest.mark.tf,
    pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="the extra `tf` is not installed"),
]


class Work(NamedTuple):
    """What one process with TensorFlow has done: loading it takes longer than all the rest.

    Attributes:
        made: folder of what tfds wrote in both formats, and what it reads of it.
        odd: folder of what tfds wrote and only tfds reads.
        plane: what it found in ours, pictures as they are recorded.
        rich: what it found in ours, fields of every kind.
    """

    made: Path
    odd: Path
    plane: dict[str, Any]
    rich: dict[str, Any]


PROGRAMS = """
import sys
from tests.support.programs import compare_with_tfds, write_odd_with_tfds, write_with_tfds
made, odd, plane, rich = sys.argv[1:]
write_with_tfds.main(made)
write_odd_with_tfds.main(odd)
compare_with_tfds.main(plane)
compare_with_tfds.main(rich)
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    folder = tmp_path_factory.mktemp("tfds")
    made, odd, plane, rich = (folder / name for name in ("made", "odd", "plane", "rich"))
    write_plane(plane)
    convert(open_source(write_rich(folder / "mapped")), rich)
    command = [sys.executable, "-c", PROGRAMS, *map(str, (made, odd, plane, rich))]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return Work(made, odd, *(json.loads(line) for line in done.stdout.splitlines()[-2:]))


def write_plane(folder: Path) -> None:
    """Demonstrations of a made-up robot in several shards."""
    embodiment, source = fake_embodiment(), FakeSource()
    records = []
    for seed in range(5):
        _, record = record_demonstration(
            FakeEnv(source), FakeExpert(source), embodiment, env_name="fake/plane", seed=seed, noise=0.2
        )
        assert record is not None
        records.append(record)
    write_dataset(folder, "fake_plane", embodiment, features_of(embodiment), records, shard_bytes=4000)
    assert len(list(folder.glob("*.tfrecord*"))) > 1


def test_tfds_and_rlds_read_the_same_steps_of_pictures_and_of_fields_of_every_kind(work: Work) -> None:
    assert work.rich == {"episodes": 3, "steps": 12, "largest": 0, "mean": 0.0}
    assert work.plane["episodes"] == 5
    # The frames are pure noise, the worst there is for the fast decoder; those of a camera differ by 1 on average.
    assert work.plane["mean"] < 2.5
    assert work.plane["largest"] < 64


@pytest.fixture
def made(work: Work) -> Path:
    """What tfds writes, in both formats, and what it reads."""
    return work.made


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


@pytest.mark.parametrize("file_format", ["tfrecord", pytest.param("array_record", marks=pytest.mark.slow)])
def test_rlds_itself_finds_the_same(file_format: str, made: Path) -> None:
    counts: list[int] = []
    source = open_source("tfds:tiny", folder=made / file_format)
    findings = check_through_rlds(source, done=counts.append)
    assert [finding.status for finding in findings] == ["ok"] * 3, findings
    assert counts == [1, 2, 3]
    assert "9 steps in 3 episodes" in findings[1].found


def test_what_tfds_cannot_read_is_an_error(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tiny" / "1.0.0"
    shutil.copytree(made / "tfrecord" / "tiny" / "1.0.0", folder)
    source = open_source("tfds:tiny", folder=tmp_path)
    (folder / "features.json").write_text("{}")
    with pytest.raises(DatasetError, match="tfds cannot read it"):
        check_through_rlds(source)


@pytest.fixture
def odd(work: Work) -> Path:
    """What tfds writes and only tfds reads."""
    return work.odd


def test_fields_that_only_tfds_reads_are_converted(
    odd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(open_source("tfds:odd:1.2.0", folder=odd).features.unread) == {
        "sound", "steps/depths", "steps/ragged", "steps/rgba",
    }  # fmt: skip
    out = tmp_path / "out"
    assert data_command(["convert", "tfds:odd", f"folder={odd}", f"out={out}"]) == 0
    assert "steps/ragged: sequences of sequences cannot be read" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    reader = RLDSReader(out)
    numbers = set()
    for episode in reader:
        number = int(episode.value("where/x"))
        numbers.add(number)
        assert episode.sequence("sound").tolist() == [[value] for value in range(5 + number)]
        for step in range(3):
            assert np.array_equal(episode.array("rgba")[step], np.full((4, 5, 4), 10 * number + step))
            depths = episode.sequence("steps/depths", step)
            assert depths.shape == (step, 2, 3, 1) and depths.dtype == np.uint16 and (depths == 1000 + step).all()
            assert episode.text("text", step) == "é"
        assert episode.array("action").tolist() == [[number, step] for step in range(3)]
    assert numbers == {0, 1}


def test_examples_that_are_no_episodes_become_episodes_of_one_step(odd: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"not episodes\. `embodio-data convert tfds:pictures"):
        open_source("tfds:pictures", folder=odd)
    out = tmp_path / "out"
    assert data_command(["convert", "tfds:pictures", f"folder={odd}", f"out={out}"]) == 0
    labels = set()
    for episode in RLDSReader(out):
        (label,) = episode.array("label").tolist()
        labels.add(label)
        assert np.array_equal(episode.frame("image", 0), np.full((4, 5 + label, 3), label))
        assert np.array_equal(episode.sequence("steps/boxes/box", 0), [[0, 0.25, 0.5, 1]] * label or np.empty((0, 4)))
        assert episode.sequence("steps/boxes/name", 0) == ("cat",) * label
    assert labels == {0, 1, 2}

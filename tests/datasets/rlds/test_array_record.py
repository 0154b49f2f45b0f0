"""array_record files: the same episodes as in tfrecord, damage, and workers."""

from __future__ import annotations

import multiprocessing
import pickle
from pathlib import Path

import numpy as np
import pytest

from embodio.datasets.errors import CorruptRecordError
from embodio.datasets.opening import open_source
from embodio.datasets.rlds.reader import RLDSReader
from tests.support.datasets.array_record_files import as_array_record
from tests.support.datasets.toy import write_toy_dataset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_toy_dataset(tmp_path / "toy", episodes=4, steps=2)


def test_values(folder: Path) -> None:
    plain = RLDSReader(folder)
    records = [plain.record(index) for index in range(4)]
    as_array_record(folder)
    source = RLDSReader(folder)
    assert [source.record(index) for index in (3, 0, 1, 2)] == [records[index] for index in (3, 0, 1, 2)]
    assert [source.episode_length(index) for index in range(4)] == [2] * 4
    copy = pickle.loads(pickle.dumps(source))
    source.close()
    assert copy.record(2) == source.record(2) == records[2]


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_worker_opens_files_of_its_own(folder: Path, start: str) -> None:
    as_array_record(folder)
    source = RLDSReader(folder)
    context = multiprocessing.get_context(start)
    found = context.Queue()
    child = context.Process(target=read_last, args=(source, found))
    child.start()
    assert found.get(timeout=600) == float(source.episode(3).array("action")[0, 0])
    child.join()


def read_last(source: RLDSReader, found: multiprocessing.Queue[float]) -> None:
    found.put(float(source.episode(3).array("action")[0, 0]))


def test_behind_a_url(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    as_array_record(folder)
    source = open_source(f"file://{folder}")
    assert np.array_equal(source.episode(1).array("action"), RLDSReader(folder).episode(1).array("action"))


def test_damage_is_named(folder: Path) -> None:
    path = as_array_record(folder).with_name("toy-train.array_record-00001-of-00002")
    content = path.read_bytes()
    damaged = bytearray(content)
    damaged[len(content) // 3] ^= 1
    path.write_bytes(damaged)
    source = RLDSReader(folder)
    broken = [index for index in range(4) if is_damaged(source, index)]
    assert len(broken) == 1 and broken[0] > 0
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(CorruptRecordError, match=r"0 records, but dataset_info\.json says 3"):
        RLDSReader(folder).record(1)
    path.unlink()
    assert "3 of 4 episodes: toy-train.array_record-00001-of-00002" in RLDSReader(folder).missing[0]
    path.write_bytes(b"")
    assert len(RLDSReader(folder)) == 1


def is_damaged(source: RLDSReader, index: int) -> bool:
    try:
        source.record(index)
    except CorruptRecordError:
        return True
    return False

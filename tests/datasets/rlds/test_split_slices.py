"""Splits in the words of tfds: the same records as tfds takes, and what was not fetched is said."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.datasets import CorruptRecordError, DatasetError, RLDSReader
from embodio.datasets.checks.verify import verify
from embodio.datasets.opening import open_source
from embodio.datasets.rlds.dataset_info import DatasetInfo
from tests.support.datasets.rlds_files import write
from tests.support.datasets.toy import write_toy_dataset

BOUNDS = (
    "",
    "0",
    "3",
    "-2",
    "1_0",
    "50%",
    "33.3%",
    "-12.5%",
    "100%",
    "101%",
    "1shard",
    "-1shard",
    "0shard",
    "9shard",
    "x",
)


def info_of(lengths: dict[str, list[int]]) -> DatasetInfo:
    splits = {name: {"name": name, "shardLengths": counts} for name, counts in lengths.items()}
    return DatasetInfo("toy", "1.0.0", "tfrecord", splits, Path("/none/dataset_info.json"))


def taken(lengths: dict[str, list[int]], text: str) -> Any:
    try:
        return [[part.name, part.first, part.last] for part in info_of(lengths).shards(text)]
    except DatasetError:
        return "error"


@pytest.mark.parametrize(("text", "numbers"), [
    ("train[:90%]", range(9)),
    ("train[3:]", range(3, 10)),
    ("train[10%:20%]", range(1, 2)),
    ("train[-2:]", range(8, 10)),
    ("train[:-80%]", range(2)),
    ("train[25%:75%]", range(2, 8)),  # 2.5 and 7.5 are rounded to even numbers
    ("train[:1shard]", range(4)),
    ("train[1shard]", range(4, 8)),
    ("train[5:7] + train[:1]", (5, 6, 0)),
    ("all", range(10)),
])  # fmt: skip
def test_episodes_of_a_slice(text: str, numbers: Any, tmp_path: Path) -> None:
    folder = write_shards(tmp_path / "toy")
    reader = RLDSReader(folder, text)
    assert [episode.metadata["seed"] for episode in reader] == list(numbers)
    assert [reader.episode_length(index) for index in range(len(reader))] == [number % 3 + 1 for number in numbers]
    with pytest.raises(IndexError):
        reader.episode(len(reader))


def write_shards(folder: Path, counts: tuple[int, ...] = (4, 4, 2)) -> Path:
    """A data set of 10 episodes in three files."""
    write(folder, [number % 3 + 1 for number in range(sum(counts))])
    (shard,) = folder.glob("toy-*")
    content, spans = shard.read_bytes(), RLDSReader(folder)._shards[0]._spans
    ends = [int(offset + length) + 4 for offset, length in spans]
    shard.unlink()
    (folder / "record_index.json").unlink()
    first = 0
    for number, count in enumerate(counts):
        begin = 0 if not first else ends[first - 1]
        first += count
        (folder / f"toy-train.tfrecord-{number:05d}-of-{len(counts):05d}").write_bytes(content[begin : ends[first - 1]])
    info = json.loads((folder / "dataset_info.json").read_text())
    info["splits"][0]["shardLengths"] = [str(count) for count in counts]
    (folder / "dataset_info.json").write_text(json.dumps(info))
    return folder


@pytest.mark.parametrize("text", [
    "test", "train[", "train[]", "train[:]", "train[3]", "train[11:]", "train[5:3]", "train[:101%]", "all[:50%]",
    "train[1:2:3]", "train[a:b]", "train+", "train[1.5:]", "../train",
])  # fmt: skip
def test_what_is_not_a_slice_is_refused(text: str, tmp_path: Path) -> None:
    folder = write_shards(tmp_path / "toy")
    with pytest.raises(DatasetError, match="train"):
        RLDSReader(folder, text)


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=5),
    st.integers(-60, 60),
    st.integers(-60, 60),
    st.sampled_from(("", "%")),
)
def test_slices_are_those_of_a_list(counts: list[int], first: int, last: int, unit: str) -> None:
    lengths, total = {"train": counts}, sum(counts)
    found = taken(lengths, f"train[{first}{unit}:{last}{unit}]")
    bounds = [round(bound * total / 100.0) if unit else bound for bound in (first, last)]
    records = [(number, inside) for number, count in enumerate(counts) for inside in range(count)]
    wanted = records[bounds[0] : bounds[1]] if max(map(abs, bounds)) <= total else []
    parts = [] if found == "error" else found
    names = [f"toy-train.tfrecord-{number:05d}-of-{len(counts):05d}" for number in range(len(counts))]
    assert [(names.index(name), inside) for name, begin, end in parts for inside in range(begin, end)] == wanted


@pytest.mark.tf
@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="the extra `tf` is not installed")
def test_slices_are_those_of_tfds() -> None:
    generator, cases = random.Random(0), []
    for first in BOUNDS:
        for last in BOUNDS:
            lengths = {
                name: [generator.randint(1, 40) for _ in range(generator.randint(1, 5))] for name in ("train", "b")
            }
            cases.append((lengths, f"train[{first}:{last}]"))
            cases.append((lengths, f"b[{first}:{last}]+train"))
        cases.append((lengths, f"train[{first}]"))
    cases += [(lengths, text) for text in ("all", "train + b", "b+train[:10%]", "all+b", "all[:3]", "c", "train+", "")]
    program = Path(__file__).parents[3] / "tests" / "support" / "programs" / "slices_with_tfds.py"
    done = subprocess.run([sys.executable, str(program)], input=json.dumps(cases), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    theirs = json.loads(done.stdout.splitlines()[-1])
    different = [(*case, there) for case, there in zip(cases, theirs, strict=True) if taken(*case) != there]
    assert not different
    assert sum(there != "error" for there in theirs) > 150


def lose(shard: Path) -> None:
    shard.unlink()


def empty(shard: Path) -> None:
    shard.write_bytes(b"")


def cut(shard: Path) -> None:
    os.truncate(shard, shard.stat().st_size - 1)


def point(shard: Path) -> None:
    shard.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n")


@pytest.mark.parametrize("fault", [lose, empty, cut, point])
def test_what_is_there_of_a_data_set_is_read_and_what_is_not_is_said(
    fault: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_shards(tmp_path / "toy")
    shard = folder / "toy-train.tfrecord-00001-of-00003"
    fault(shard)
    with caplog.at_level(logging.WARNING):
        reader = RLDSReader(folder)
    assert [episode.metadata["seed"] for episode in reader] == [0, 1, 2, 3, 8, 9]
    assert [reader.episode_length(index) for index in range(6)] == [1, 2, 3, 1, 3, 1]
    for said in (caplog.text, *reader.missing):
        assert "1 of 3 shards of the split 'train' were not fetched whole" in said
        assert "4 of 10 episodes" in said and shard.name in said
    assert [e.metadata["seed"] for e in RLDSReader(folder, "train[2:9]")] == [2, 3, 8]  # of all, as tfds counts them
    assert RLDSReader(folder, "train[:40%]").missing == ()
    with pytest.raises((CorruptRecordError, DatasetError), match=shard.name):
        RLDSReader(folder, "train[4:8]")


def test_verify_and_descriptions_say_what_is_missing(tmp_path: Path) -> None:
    folder = write_toy_dataset(tmp_path / "toy", episodes=4, steps=3)
    (shard,) = folder.glob("toy-*")
    info = json.loads((folder / "dataset_info.json").read_text())
    info["splits"][0]["shardLengths"] = ["4", "6"]
    (folder / "dataset_info.json").write_text(json.dumps(info))
    shard.rename(folder / "toy-train.tfrecord-00000-of-00002")
    described = tmp_path / "toy.yaml"
    described.write_text(
        f"name: toy\nkind: rlds\nfolder: {folder}\naction: [action]\ninstruction: {{keys: [language_instruction]}}\n"
    )
    for source in (open_source(folder), open_source(described)):
        findings = {finding.check: finding for finding in verify(source)}
        assert findings["complete files"].status == "warning"
        assert "6 of 10 episodes: toy-train.tfrecord-00001-of-00002" in findings["complete files"].found

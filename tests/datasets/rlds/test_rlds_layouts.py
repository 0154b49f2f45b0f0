"""RLDS folders as they are found: versions, file names by template, several splits, empty shards, odd episodes."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio.datasets.codecs.image_codec import encode_image
from embodio.datasets.conversion.conversion import convert
from embodio.datasets.episodes.features import EpisodeFeatures, ImageFeature, TensorFeature, TextFeature
from embodio.datasets.errors import DatasetError, FeatureError
from embodio.datasets.opening import open_source
from embodio.datasets.rlds.example_proto import encode_example
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.rlds.writer import RLDSWriter

FEATURES = EpisodeFeatures(
    {
        "observation/image": ImageFeature(4, 5, 3, "png"),
        "action": TensorFeature("float32", (2,)),
        "language_instruction": TextFeature(),
    },
    {"episode_metadata/seed": TensorFeature("int64")},
)


def step(number: int, **changes: Any) -> dict[str, Any]:
    plain = {"observation/image": np.full((4, 5, 3), number, np.uint8), "action": np.full(2, number, np.float32)}
    return {**plain, "language_instruction": "go", **changes}


def write(folder: Path, seeds: range = range(3), shard_bytes: int | None = None) -> Path:
    with RLDSWriter(folder, "toy", FEATURES, shard_bytes=shard_bytes) as writer:
        for seed in seeds:
            writer.add([step(seed), step(seed)], {"episode_metadata/seed": seed})
    return folder


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "dataset_info.json"
    info = json.loads(path.read_text())
    info["splits"][0] |= changes
    path.write_text(json.dumps(info))


def seeds_of(path: Path, **options: Any) -> list[int]:
    return [int(open_source(path, **options).episode(i).value("episode_metadata/seed")) for i in range(3)]


def test_the_newest_version_is_taken_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for version, first in (("1.9.0", 0), ("1.10.0", 10)):
        write(tmp_path / "toy" / version, range(first, first + 3))
    with caplog.at_level(logging.WARNING):
        assert seeds_of(tmp_path / "toy") == [10, 11, 12]
    assert "version 1.10.0 is the newest and is taken; there are also 1.9.0" in caplog.text
    assert seeds_of(tmp_path / "toy" / "1.9.0") == [0, 1, 2]
    assert seeds_of(tmp_path) == [10, 11, 12]
    write(tmp_path / "other" / "1.0.0")
    with pytest.raises(DatasetError, match=r"several data sets: other, toy\. Give the folder of one"):
        open_source(tmp_path)


def test_file_names_follow_the_template(tmp_path: Path) -> None:
    write(tmp_path, shard_bytes=1)
    for path in tmp_path.glob("*tfrecord*"):
        path.rename(tmp_path / f"part_{path.name.split('-')[2]}_of_{path.name.split('-')[4]}.train")
    edit(tmp_path, filepathTemplate="part_{SHARD_INDEX}_of_{NUM_SHARDS}.{SPLIT}")
    assert seeds_of(tmp_path) == [0, 1, 2]
    edit(tmp_path, filepathTemplate="../{SPLIT}")
    with pytest.raises(DatasetError, match="is not that of a file"):
        open_source(tmp_path)


def test_several_splits_are_joined(tmp_path: Path) -> None:
    write(tmp_path, range(2))
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    write(tmp_path / "more", range(5, 6))
    (shard,) = (tmp_path / "more").glob("*tfrecord*")
    shard.rename(tmp_path / "toy-val.tfrecord-00000-of-00001")
    info["splits"].append({"name": "val", "shardLengths": ["1"]})
    (tmp_path / "dataset_info.json").write_text(json.dumps(info))
    assert seeds_of(tmp_path, split="train+val") == [0, 1, 5]
    assert len(open_source(tmp_path, split="val")) == 1
    with pytest.raises(DatasetError, match="no split 'test'; it has train, val"):
        open_source(tmp_path, split="train+test")


def test_shards_without_records(tmp_path: Path) -> None:
    write(tmp_path, shard_bytes=1)
    paths = sorted(tmp_path.glob("*tfrecord*"))
    for number, path in zip((0, 2, 3), paths, strict=True):
        path.rename(tmp_path / f"toy-train.tfrecord-{number:05d}-of-00005")
    for number in (1, 4):
        (tmp_path / f"toy-train.tfrecord-{number:05d}-of-00005").touch()
    edit(tmp_path, shardLengths=["1", "0", "1", "1", "0"])
    assert seeds_of(tmp_path) == [0, 1, 2]
    for lengths in (["x"], ["-1"], ["0"], []):
        edit(tmp_path, shardLengths=lengths)
        with pytest.raises(DatasetError, match=r"shardLengths|is empty"):
            open_source(tmp_path)


def test_odd_episodes_are_named_and_left_out_of_a_conversion(tmp_path: Path) -> None:
    def example(count: int, text: bytes) -> bytes:
        return encode_example(
            {
                "steps/observation/image": [encode_image(np.zeros((4, 5, 3), np.uint8), "png")] * count,
                "steps/action": np.full((count, 2), np.nan, np.float32),
                "steps/language_instruction": [text] * count,
                "episode_metadata/seed": np.array([7]),
            }
        )

    with RLDSWriter(tmp_path / "odd", "odd", FEATURES) as writer:
        for record in (example(0, b"go"), example(2, b"\xff\xfe"), example(2, b"go"), b"no example", b""):
            writer.add_record(record)
    source = open_source(tmp_path / "odd")
    assert source.episode_length(0) == 0 and source.episode(0).array("action").shape == (0, 2)
    with pytest.raises(FeatureError, match="language_instruction: 2 bytes that are not UTF-8"):
        source.episode(1).text("language_instruction", 0)
    assert np.isnan(source.episode(2).array("action")).all()
    for index in (3, 4):
        with pytest.raises(FeatureError):
            source.episode(index)
    result = convert(source, tmp_path / "clean")
    assert result.episodes == 1 and list(result.skipped) == [0, 1, 3, 4]
    assert np.isnan(RLDSReader(tmp_path / "clean").episode(0).array("action")).all()


@pytest.mark.parametrize("content", ["[]", "{}", '{"name": 3}', "\xff", '{"name": "a", "version": "1", "splits": 3}'])
def test_descriptions_of_another_structure(content: str, tmp_path: Path) -> None:
    for name in ("dataset_info.json", "features.json"):
        folder = write(tmp_path / name.partition(".")[0])
        (folder / name).write_bytes(content.encode("latin-1"))
        with pytest.raises(DatasetError, match=name.partition(".")[0]):
            RLDSReader(folder)

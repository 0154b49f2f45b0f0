"""Data of tfds that are no episodes, written by our framing here and by tfds itself where it is installed."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import fsspec
import numpy as np
import pytest

from embodio.datasets.codecs.image_codec import encode_image
from embodio.datasets.errors import CorruptRecordError
from embodio.datasets.records.opening import open_records
from embodio.datasets.rlds.example_proto import encode_example
from embodio.datasets.rlds.tfrecord import frame
from tests.support.rooms import REPO

FEATURES = {
    "featuresDict": {
        "features": {
            "image": {"image": {"shape": {"dimensions": ["-1", "-1", "3"]}, "encodingFormat": "png"}},
            "captions": {
                "sequence": {
                    "feature": {
                        "featuresDict": {"features": {"text": {"text": {}}, "id": {"tensor": {"dtype": "int64"}}}}
                    }
                }
            },
            "label": {"classLabel": {"numClasses": "2"}},
            "audio": {"audio": {"dtype": "int64", "sampleRate": "8000"}},
            "nested": {"featuresDict": {"features": {"score": {"tensor": {"dtype": "float32", "shape": {}}}}}},
        }
    }
}


def write(folder: Path, split: str, first: int, count: int) -> dict[str, object]:
    name = f"tiny-{split}.tfrecord-00000-of-00001"
    records = [
        encode_example(
            {
                "image": [encode_image(np.full((16, 20, 3), number, np.uint8), "png")],
                "captions/text": [f"picture {number}".encode(), b"a square"],
                "captions/id": np.array([number, 0]),
                "label": np.array([number % 2]),
                "audio": np.full(800, 100 * number, np.int64),
                "nested/score": np.array([number / 4], np.float32),
            }
        )
        for number in range(first, first + count)
    ]
    (folder / name).write_bytes(b"".join(map(frame, records)))
    return {
        "name": split,
        "shardLengths": [str(count)],
        "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
    }


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny" / "1.0.0"
    folder.mkdir(parents=True)
    splits = [write(folder, "train", 0, 7), write(folder, "validation", 100, 7)]
    (folder / "dataset_info.json").write_text(json.dumps({"name": "tiny", "version": "1.0.0", "splits": splits}))
    (folder / "features.json").write_text(json.dumps(FEATURES))
    (folder / "label.labels.txt").write_text("cat\ndog\n")
    return tmp_path / "tiny"


def check(folder: Path | str) -> None:
    source = open_records(folder)
    assert len(source) == len(open_records(folder, split="validation")) == 7
    assert len(open_records(folder, split="train[5:]")) == 2
    numbers = []
    for index in reversed(range(7)):
        record = source.record(index)
        number = int(record.image.load()[0, 0, 0])  # type: ignore[union-attr]
        numbers.append(number)
        assert record.captions == (f"picture {number}", "a square")
        assert record.facts["label"] == ("cat", "dog")[number % 2]
        assert record.facts["nested"] == {"score": number / 4}
        sound = record.sound.load()  # type: ignore[union-attr]
        assert sound.shape == (1600,) and abs(float(sound[800]) - 100 * number / 32768) < 1e-3
    assert sorted(numbers) == list(range(7))


def test_features_become_parts_of_records(tiny: Path) -> None:
    check(tiny)
    fsspec.filesystem("memory").put(f"{tiny}/", "/urls-tfds/", recursive=True)
    check("memory://urls-tfds")


def test_flipped_bits_are_named(tiny: Path) -> None:
    path = next(tiny.rglob("*train*"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    source = open_records(tiny)
    failed = []
    for index in range(7):
        try:
            source.record(index)
        except CorruptRecordError as error:
            failed.append(str(error))
    assert len(failed) == 1 and "record 3: the checksum of the payload is wrong" in failed[0]


@pytest.mark.tf
@pytest.mark.skipif(importlib.util.find_spec("tensorflow_datasets") is None, reason="the extra `tf` is not installed")
def test_what_tfds_writes_is_read(tmp_path: Path) -> None:
    program = REPO / "tests" / "support" / "programs" / "write_captions_with_tfds.py"
    done = subprocess.run([sys.executable, str(program), str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    for file_format in ("tfrecord", "array_record"):
        read = json.loads((tmp_path / f"{file_format}.json").read_text())
        check(tmp_path / file_format)
        source = open_records(tmp_path / file_format, split="train")
        assert [int(source.record(i).image.load()[0, 0, 0]) for i in range(7)] == read["train"]  # type: ignore[union-attr]

"""Tar shards that the library webdataset writes, and damaged ones."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import webdataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embodio.datasets.codecs.image_codec import encode_image
from embodio.datasets.errors import CorruptRecordError, DatasetError, UnusableRecord
from embodio.datasets.records.opening import open_records

PICTURE = np.arange(16 * 24 * 3, dtype=np.uint8).reshape(16, 24, 3)
PNG = encode_image(PICTURE, "png")


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def tar(path: Path, members: list[tuple[str, bytes]], mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members:
            add(archive, name, data)
    return path


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/.\0\r\n"), min_size=1, max_size=130)


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(NAMES, st.text(max_size=20)), min_size=1, max_size=6, unique_by=lambda one: one[0]))
def test_what_the_library_writes_is_read_at_random_as_the_library_reads_it(
    tmp_path_factory: pytest.TempPathFactory, samples: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    for shard in range(2):
        with webdataset.TarWriter(str(folder / f"{shard:03d}.tar")) as writer:
            for key, text in samples[shard::2]:
                writer.write({"__key__": key, "png": PNG, "txt": text, "json": {"title": text, "n": 3}})
    source = pickle.loads(pickle.dumps(open_records(folder)))
    urls = [str(folder / f"{shard:03d}.tar") for shard in range(2)]
    expected = list(webdataset.WebDataset(urls, shardshuffle=False, empty_check=False).decode())
    assert len(source) == len(expected) == len(samples)
    for index in reversed(range(len(expected))):
        record, sample = source.record(index), expected[index]
        assert record.key == sample["__key__"] and record.facts == sample["json"]
        assert record.captions == tuple(
            dict.fromkeys(line.strip() for line in sample["txt"].splitlines() if line.strip())
        )
        assert np.array_equal(record.image.load(), PICTURE)  # type: ignore[union-attr]


def test_members_and_what_they_mean(tmp_path: Path) -> None:
    depth = io.BytesIO()
    from PIL import Image

    Image.fromarray(np.full((16, 24), 1234, dtype=np.uint16)).save(depth, "PNG")
    pose = np.eye(4)
    pose[0, 3] = 2.0
    facts = {
        "transcript": "lift it",
        "captions": ["a robot", "an arm"],
        "boxes": [[0, 0, 3, 4]],
        "document": ["first", {"image": "view0.png"}, "last"],
        "views": [{"pose": pose.tolist()}, {}],
    }
    array = io.BytesIO()
    np.save(array, np.arange(3))
    tar(
        tmp_path / "a.tar",
        [
            ("x/k.png", PNG),
            ("x/k.depth.png", depth.getvalue()),
            ("x/k.view1.png", PNG),
            ("x/k.view0.png", PNG),
            ("x/k.json", json.dumps(facts).encode()),
            ("x/k.txt", b"a picture\na robot\n"),
            ("x/k.numbers.npy", array.getvalue()),
            ("x/k.pkl", pickle.dumps({"never": "read"})),
            ("x/k.pyd", b"cos\nsystem\n(S'false'\ntR."),
            ("x/k.cls", b"7"),
        ],
    )
    record = open_records(tmp_path).record(0)
    assert record.key == "x/k" and record.transcript == "lift it" and record.text == ""
    assert record.captions == ("a picture", "a robot", "an arm")
    assert len(record.views) == 2 and record.views[1].pose is None
    assert record.views[0].pose[0, 3] == 2.0  # type: ignore[index]
    assert record.document[0] == "first" and record.document[1].load().shape == (16, 24, 3)  # type: ignore[union-attr]
    assert record.facts["depth"].load().dtype == np.uint16 and record.facts["depth"].load()[0, 0] == 1234
    assert record.facts["numbers"].load().tolist() == [0, 1, 2]
    assert record.facts["boxes"] == [[0, 0, 3, 4]] and record.facts["cls"] == "7"
    assert set(record.facts) == {"depth", "numbers", "boxes", "cls"}, "pickles are not there"


def test_text_alone_is_text(tmp_path: Path) -> None:
    tar(tmp_path / "a.tar", [("k.txt", "ein Wörterbuch\nzwei".encode()), ("k.json", b'{"lang": "de"}')])
    record = open_records(tmp_path / "a.tar").record(0)
    assert record.text == "ein Wörterbuch\nzwei" and record.captions == () and record.facts == {"lang": "de"}


def test_partners_that_are_missing_hidden_files_and_second_members(tmp_path: Path) -> None:
    members = [
        ("a.jpg", b""),
        ("b.txt", b"alone"),
        ("._c.txt", b"mac"),
        ("c.txt", b"one"),
        ("c.txt", b"two"),
        ("d", b""),
    ]
    source = open_records(tar(tmp_path / "a.tar", members))
    assert len(source) == 3
    with pytest.raises(CorruptRecordError, match=r"a\.tar, record 0: a\.jpg at byte \d+: the image cannot be decoded"):
        source.record(0).image.load()  # type: ignore[union-attr]
    assert source.record(1).text == "alone"
    with pytest.raises(CorruptRecordError, match=r"record 2: c.txt at byte \d+: a second .txt of the record 'c'"):
        source.record(2)


@pytest.mark.parametrize("packing", ["", ".gz"])
def test_shards_cut_off_or_damaged_keep_what_is_whole(tmp_path: Path, packing: str) -> None:
    members = [(f"k{n}.txt", bytes([65 + n]) * 2000) for n in range(10)]
    path = tar(tmp_path / f"a.tar{packing}", members, "w:gz" if packing else "w")
    if not packing:
        path.write_bytes(path.read_bytes()[:9_000])
        source = open_records(tmp_path)
        assert [source.record(index).text[0] for index in range(len(source))] == ["A", "B", "C"]
        assert "it ends inside k3.txt, at byte 9000" in str(source.damaged[0])
        damaged = bytearray(tar(path, members).read_bytes())
        damaged[5120 : 5120 + 512] = b"\xff" * 512
        path.write_bytes(damaged)
        source = open_records(tmp_path)
        assert len(source) == 2 and "there is no header of a tar at byte 5120" in str(source.damaged[0])
    path.write_bytes(b"this is not a tar at all" * 100)
    source = open_records(tmp_path)
    assert len(source) == 0 and len(source.damaged) == 1


def test_limits_braces_splits_and_duplicates(tmp_path: Path) -> None:
    for split, letters in (("train", "ab"), ("validation", "c")):
        for number, letter in enumerate(letters):
            tar(tmp_path / split / f"{number:05d}.tar", [(f"{letter}.txt", b"same"), (f"{letter}2.txt", b"x" * 900)])
    with pytest.raises(DatasetError, match="holds the splits train, validation; give split="):
        open_records(tmp_path)
    assert len(open_records(tmp_path, split="train")) == 4 and len(open_records(tmp_path, split="val")) == 2
    with pytest.raises(DatasetError, match=r"has no split 'test'; it has train, validation"):
        open_records(tmp_path, split="test")
    braces = open_records(f"{tmp_path}/train/{{00000..00001}}.tar", duplicates="drop", largest_record=500)
    assert [braces.record(0).text, len(braces)] == ["same", 2]
    with pytest.raises(UnusableRecord, match="900 bytes, more than largest_record=500"):
        braces.record(1)
    with pytest.raises(DatasetError, match=r"1 of 3 files are missing, the first is .*00002.tar"):
        open_records(f"{tmp_path}/train/{{00000..00002}}.tar")


@pytest.mark.parametrize("value", ["5", "NaN", "true", "null", '{"en": "a cup"}', "[1, null]"])
def test_captions_in_json_that_are_no_text_are_none(tmp_path: Path, value: str) -> None:
    facts = f'{{"caption": {value}, "captions": ["a cup", 3]}}'.encode()
    record = open_records(tar(tmp_path / "a.tar", [("k.png", PNG), ("k.json", facts)])).record(0)
    assert record.captions == ("a cup",)

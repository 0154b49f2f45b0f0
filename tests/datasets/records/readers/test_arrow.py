"""Arrow and Parquet: rows at random as pyarrow reads them in order, Hugging Face's folders, damage."""

from __future__ import annotations

import io
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embodio.datasets.codecs.image_codec import encode_image
from embodio.datasets.errors import CorruptRecordError, DatasetError
from embodio.datasets.records.opening import open_records
from embodio.datasets.records.readers import parquet as parquet_reader

SAVED = Path(__file__).parents[1] / "data" / "saved_by_datasets"
PNG = encode_image(np.full((16, 20, 3), 7, dtype=np.uint8), "png")
LABELS = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}, "image": {"_type": "Image"}}


def wav() -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.full((800, 2), 0.25), 8000, format="WAV")
    return buffer.getvalue()


def rows(count: int) -> list[dict[str, Any]]:
    media = {"image": {"bytes": PNG, "path": None}, "audio": {"bytes": wav(), "path": None}}
    return [media | {"caption": f"grey {number}", "label": number % 2, "tags": ["a"]} for number in range(count)]


def stream(path: Path, table: pa.Table, batch: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=batch)


def saved(folder: Path, count: int, shards: int = 2) -> Path:
    """A folder as `Dataset.save_to_disk` writes it."""
    names = [f"data-{shard:05d}-of-{shards:05d}.arrow" for shard in range(shards)]
    for shard, name in enumerate(names):
        stream(folder / name, pa.Table.from_pylist(rows(count)[shard::shards]), batch=2)
    state = {"_data_files": [{"filename": name} for name in names], "_fingerprint": "f", "_split": None}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": LABELS}))
    return folder


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(), min_size=1, max_size=12), st.integers(1, 4), st.sampled_from(["stream", "file", "parquet"]))
def test_rows_at_random_are_those_read_in_order(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], batch: int, kind: str
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    table = pa.table({"text": [f"x{text}" for text in texts], "n": list(range(len(texts)))})
    if kind == "parquet":
        pa.parquet.write_table(table, folder / "a.parquet", row_group_size=batch)
        expected = pa.parquet.read_table(folder / "a.parquet").to_pylist()
    elif kind == "file":
        with pa.OSFile(str(folder / "a.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=batch)
        expected = pa.ipc.open_file(str(folder / "a.arrow")).read_all().to_pylist()
    else:
        stream(folder / "a.arrow", table, batch)
        expected = pa.ipc.open_stream(str(folder / "a.arrow")).read_all().to_pylist()
    source = pickle.loads(pickle.dumps(open_records(folder)))
    assert len(source) == len(texts)
    for index in reversed(range(len(texts))):
        record = source.record(index)
        assert {"text": record.text, **record.facts} == expected[index]


def test_a_folder_of_save_to_disk(tmp_path: Path) -> None:
    source = open_records(saved(tmp_path / "set", 5))
    assert len(source) == 5
    record = source.record(4)  # the second of the second shard
    assert record.captions == ("grey 3",) and record.facts == {"label": "dog", "tags": ["a"]}
    assert record.image.load().shape == (16, 20, 3)  # type: ignore[union-attr]
    sound = record.sound.load()  # type: ignore[union-attr]
    assert sound.shape == (1600,) and abs(float(sound[800]) - 0.25) < 0.01


def test_what_the_library_saved_is_read(tmp_path: Path) -> None:
    """Written by tests/support/programs/write_with_datasets.py."""
    folder = shutil.copytree(SAVED, tmp_path / "saved")
    counts = {"train": 5, "test": 1}
    for split, count in counts.items():
        source = open_records(folder, split=split)
        assert len(source) == count
        for index in reversed(range(count)):
            record = source.record(index)
            assert record.captions == (f"{split} {index}",)
            facts = {"label": ("cat", "dog")[index % 2], "tags": ["a"] * index}
            assert record.facts == {name: fact for name, fact in facts.items() if fact}
            image = record.image.load()  # type: ignore[union-attr]
            assert image.shape == (16, 20, 3) and (image == 10 * index).all()
            sound = record.sound.load()  # type: ignore[union-attr]
            assert sound.shape == (1600,) and abs(float(sound[800]) - index / 128) < 1e-3


def test_splits_and_selections_of_save_to_disk(tmp_path: Path) -> None:
    for split, count in (("train", 4), ("test", 2)):
        saved(tmp_path / split, count, shards=1)
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(DatasetError, match="holds several data sets: test, train"):
        open_records(tmp_path)
    assert len(open_records(tmp_path, split="test")) == 2
    state = json.loads((tmp_path / "train" / "state.json").read_text())
    (tmp_path / "train" / "state.json").write_text(
        json.dumps(state | {"_indices_data_files": [{"filename": "i.arrow"}]})
    )
    with pytest.raises(DatasetError, match="flatten_indices"):
        open_records(tmp_path, split="train")
    state["_data_files"] = [{"filename": "../data.arrow"}]
    (tmp_path / "train" / "state.json").write_text(json.dumps(state))
    with pytest.raises(DatasetError, match="not that of a file inside the folder"):
        open_records(tmp_path, split="train")


def test_large_row_groups_are_unpacked_once_and_labels_have_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pa.Table.from_pylist(rows(200))
    about = {b"huggingface": json.dumps({"info": {"features": LABELS}}).encode()}
    pa.parquet.write_table(table.replace_schema_metadata(about), tmp_path / "a.parquet")
    plain = open_records(tmp_path)
    monkeypatch.setattr(parquet_reader, "_LARGEST_GROUP", 100)
    (tmp_path / "a.parquet").touch()
    unpacked = open_records(tmp_path)
    assert len(plain) == len(unpacked) == 200 and plain.digest == unpacked.digest
    for index in (199, 0, 64, 63):
        first, second = plain.record(index), unpacked.record(index)
        assert first.captions == second.captions == (f"grey {index}",)
        assert first.facts["label"] == second.facts["label"] == ("cat", "dog")[index % 2]


def test_named_columns_and_parts_that_are_left_out(tmp_path: Path) -> None:
    table = pa.Table.from_pylist([{"meta": {"alt": "a hat"}, "pixels": PNG, "caption": "no", "n": 1}])
    pa.parquet.write_table(table, tmp_path / "a.parquet")
    record = open_records(tmp_path, columns={"captions": "meta.alt", "image": "pixels"}).record(0)
    assert record.captions == ("a hat",) and record.image is not None and record.facts == {"caption": "no", "n": 1}
    assert open_records(tmp_path, columns={"captions": "", "image": "pixels"}).record(0).captions == ()
    with pytest.raises(DatasetError, match="columns: picture are not parts of a record"):
        open_records(tmp_path, columns={"picture": "pixels"})


def test_interleaved_texts_and_images(tmp_path: Path) -> None:
    row = {"texts": ["one", None, "two"], "images": [None, PNG, None], "url": "u"}
    pa.parquet.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    document = open_records(tmp_path).record(0).document
    assert document[0] == "one" and document[2] == "two" and document[1].load().shape == (16, 20, 3)  # type: ignore[union-attr]


def test_files_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    stream(path, pa.table({"text": [f"text {number}" * 100 for number in range(40)]}), batch=4)
    path.write_bytes(path.read_bytes()[:-8_000])
    source = open_records(tmp_path)
    assert 0 < len(source) < 40 and "cut off at byte" in str(source.damaged[0])
    assert source.record(3).text.startswith("text 3")
    pa.parquet.write_table(pa.table({"text": ["a"] * 9}), tmp_path / "b.parquet")
    (tmp_path / "b.parquet").write_bytes((tmp_path / "b.parquet").read_bytes()[:-9])
    source = open_records(tmp_path / "b.parquet")
    assert len(source) == 0 and "not Parquet, or damaged" in str(source.damaged[0])


def test_damaged_pages_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"text": [f"some text {number}" for number in range(90)]})
    pa.parquet.write_table(table, path, row_group_size=30, write_page_checksum=True, compression="none")
    data = bytearray(path.read_bytes())
    place = data.find(b"some text 45")
    data[place : place + 4] = b"none"
    path.write_bytes(data)
    source = open_records(tmp_path)
    assert source.record(0).text == "some text 0" and source.record(89).text == "some text 89"
    with pytest.raises(CorruptRecordError, match=r"a\.parquet, record 45: in row group 1"):
        source.record(45)

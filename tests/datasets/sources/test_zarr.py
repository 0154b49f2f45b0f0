"""Replay buffers that zarr itself wrote: every compressor, chunk and order; damage and odd fields are named."""

from __future__ import annotations

import itertools
import json
import pickle
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.datasets.checks.verify import verify
from embodio.datasets.conversion.conversion import convert
from embodio.datasets.conversion.inspect_source import propose
from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError
from embodio.datasets.opening import open_source
from embodio.datasets.sources.zarr import ZarrSource
from embodio.datasets.sources.zarr.arrays import ZarrArray
from embodio.datasets.sources.zarr.store import ZarrStore

zarr = pytest.importorskip("zarr")
numcodecs = pytest.importorskip("numcodecs")
LENGTHS = (5, 3, 7)
STEPS = sum(LENGTHS)


def content(seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {
        "action": generator.uniform(-1, 1, (STEPS, 2)).astype(np.float32),
        "state": generator.normal(size=(STEPS, 5)),
        "img": generator.integers(0, 256, (STEPS, 12, 16, 3), dtype=np.uint8),
        "n_contacts": generator.integers(0, 9, (STEPS, 1)),
    }


def write_buffer(path: Path, data: dict[str, np.ndarray], lengths: tuple[int, ...] = LENGTHS, **options: Any) -> Path:
    store = zarr.ZipStore(str(path), mode="w") if path.suffix == ".zip" else zarr.DirectoryStore(str(path))
    root = zarr.group(store, overwrite=True)
    for name, values in data.items():
        chunks = options.get("chunks") or (4, *values.shape[1:])
        root.create_dataset(
            f"data/{name}", data=values, chunks=chunks, compressor=options.get("compressor", "default"),
        )  # fmt: skip
    root.create_dataset("meta/episode_ends", data=np.cumsum(lengths).astype(np.int64), compressor=None)
    if path.suffix == ".zip":
        store.close()
    return path


@pytest.mark.parametrize("name", ["pusht.zarr", "pusht.zarr.zip", "plain"])
def test_a_buffer_comes_back(name: str, tmp_path: Path) -> None:
    data = content()
    source = open_source(write_buffer(tmp_path / name, data))
    assert isinstance(source, ZarrSource) and source.name == name.partition(".")[0]
    assert [source.episode_length(index) for index in range(len(source))] == list(LENGTHS)
    source = pickle.loads(pickle.dumps(source))
    start = 0
    for index, length in enumerate(LENGTHS):
        episode, rows = source.episode(index), slice(start, start + length)
        assert len(episode) == length and episode.cameras == ("img",)
        assert np.array_equal(episode.array("action"), data["action"][rows])
        assert np.array_equal(episode.array("state"), data["state"][rows])
        for step in range(length):
            assert np.array_equal(episode.frame("img", step), data["img"][start + step])
        assert episode.array("is_last").tolist() == [False] * (length - 1) + [True]
        start += length
    with pytest.raises(IndexError):
        source.episode(3)
    source.close()
    assert np.array_equal(source.episode(0).array("action"), data["action"][:5])


def test_it_is_described_converted_and_verified(tmp_path: Path) -> None:
    path = write_buffer(tmp_path / "pusht.zarr.zip", content())
    described = tmp_path / "pusht.yaml"
    described.write_text(propose(open_source(path), path))
    source = open_source(described)
    assert "kind: zarr" in described.read_text() and source.embodiment.guessed
    assert {finding.check: finding.status for finding in verify(source, every_frame=True)}["images"] == "ok"
    copy = convert(source, tmp_path / "copy")
    assert copy.episodes == 3
    assert np.array_equal(open_source(copy.folder).episode(2).frame("img", 6), source.episode(2).frame("img", 6))


COMPRESSORS = [
    None,
    numcodecs.Blosc("lz4", 5, numcodecs.Blosc.BITSHUFFLE),
    numcodecs.Blosc("zstd", 3),
    numcodecs.Zlib(1),
    numcodecs.GZip(1),
    numcodecs.BZ2(1),
    numcodecs.LZMA(),
    numcodecs.LZ4(),
    numcodecs.Zstd(1),
]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_rows_of_any_array(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
    chunks = tuple(data.draw(st.integers(1, 7)) for _ in shape)
    dtype = data.draw(st.sampled_from(["<f4", ">f8", "<i2", "|u1", "|b1", ">u4", "<f2", "<U5", "|S3"]))
    values = np.arange(np.prod(shape)).astype(dtype).reshape(shape)
    filters = [numcodecs.Shuffle(values.itemsize)] if data.draw(st.booleans()) and dtype[1] in "fiu" else None
    with tempfile.TemporaryDirectory() as folder:
        zipped = data.draw(st.booleans())
        store = zarr.ZipStore(f"{folder}/a.zip", mode="w") if zipped else zarr.DirectoryStore(f"{folder}/a")
        separator = {} if zipped else {"dimension_separator": data.draw(st.sampled_from("./"))}
        root = zarr.group(store)
        root.create_dataset(
            "data/x", data=values, chunks=chunks, compressor=data.draw(st.sampled_from(COMPRESSORS)), filters=filters,
            order=data.draw(st.sampled_from("CF")), **separator,
        )  # fmt: skip
        root.create_dataset("meta/episode_ends", data=np.array([shape[0]]))
        if zipped:
            store.close()
        array = ZarrArray(ZarrStore(Path(store.path)), "data/x")
        assert array.shape == shape and array.missing == 0
        for first, last in itertools.combinations_with_replacement(range(shape[0] + 1), 2):
            found = array.rows(first, last)
            assert found.dtype == values.dtype and np.array_equal(found, values[first:last])


def test_texts_numbers_and_attributes(tmp_path: Path) -> None:
    path = write_buffer(tmp_path / "said.zarr", content())
    root = zarr.open(str(path))
    words = np.array([f"push {number}" for number in range(STEPS)], object)
    root.create_dataset("data/instruction", data=words, object_codec=numcodecs.VLenUTF8(), chunks=(4,))
    root.create_dataset("data/fixed", data=words.astype("<U8"), chunks=(4,))
    root.create_dataset("meta/success", data=np.array([True, False, True]))
    root.create_dataset("meta/who", data=np.array(["a", "b", "ü"], object), object_codec=numcodecs.VLenUTF8())
    root.create_dataset("data/obs/joints", data=np.zeros((STEPS, 7)))
    root.attrs.update({"fps": 12.5, "robot": "arm", "odd": [1], "flag": True})
    source = ZarrSource(path)
    episode = source.episode(1)
    assert episode.text("instruction", 2) == "push 7" and episode.text("fixed", 0) == "push 5"
    assert episode.metadata == {"success": False, "who": "b", "fps": 12.5, "robot": "arm"} and source.fps == 12.5
    assert episode.array("joints").shape == (3, 7)
    described = tmp_path / "said.yaml"
    described.write_text(propose(source, path))
    assert open_source(described).episode(2).instruction == "push 8"
    assert open_source(described).embodiment.control_hz == 12.5


@pytest.mark.parametrize(("values", "scale"), [("0 to 255", 1.0), ("0 to 1", 255.0)])
def test_images_of_floats_are_images(values: str, scale: float, tmp_path: Path) -> None:
    pixels = content()["img"]
    source = open_source(write_buffer(tmp_path / "f.zarr", content() | {"img": (pixels / scale).astype(np.float32)}))
    assert np.array_equal(source.episode(1).frame("img", 2), pixels[7])


def test_fields_that_cannot_be_read_are_left_out_with_a_reason(tmp_path: Path) -> None:
    path = write_buffer(tmp_path / "odd.zarr", content() | {"short": np.zeros((4, 2))})
    root = zarr.open(str(path))
    packed = np.array([{"a": number} for number in range(STEPS)], object)
    root.create_dataset("data/pickled", data=packed, object_codec=numcodecs.Pickle())
    root.create_dataset("data/records", data=np.zeros(STEPS, [("a", "<f4"), ("b", "<i4")]))
    root.create_dataset("data/complex", data=np.zeros(STEPS, np.complex64))
    root.create_dataset("meta/episode_lengths", data=np.zeros(7))
    described = path / "data" / "camera0_rgb" / ".zarray"
    shutil.copytree(path / "data" / "img", described.parent)
    described.write_text(described.read_text().replace('"blosc"', '"imagecodecs_unheard_of"'))
    unread = ZarrSource(path).features.unread
    assert set(unread) == {
        *(f"steps/observation/{name}" for name in ("short", "pickled", "records", "complex", "camera0_rgb")),
        "episode_metadata/episode_lengths",
    }
    assert "packed by pickle" in unread["steps/observation/pickled"]
    assert "4 values, where there are 15 steps" in unread["steps/observation/short"]
    assert "imagecodecs_unheard_of" in unread["steps/observation/camera0_rgb"]
    assert ZarrSource(path).episode(0).cameras == ("img",)


def test_images_packed_by_umi(tmp_path: Path) -> None:
    packed = pytest.importorskip("imagecodecs.numcodecs")
    packed.register_codecs("imagecodecs_jpegxl", verbose=False)
    path, pixels = write_buffer(tmp_path / "umi.zarr.zip", content()), content()["img"]
    with zarr.ZipStore(str(path), mode="a") as store:
        codec = packed.Jpegxl(lossless=True)
        zarr.group(store).create_dataset("data/camera0_rgb", data=pixels, chunks=(1, 12, 16, 3), compressor=codec)
    source = open_source(path)
    assert not source.features.unread and set(source.episode(0).cameras) == {"img", "camera0_rgb"}
    assert np.array_equal(source.episode(2).frame("camera0_rgb", 1), pixels[9])


def test_chunks_that_were_not_fetched_damage_their_episodes(tmp_path: Path) -> None:
    path = write_buffer(tmp_path / "cut.zarr", content())
    (path / "data" / "img" / "1.0.0.0").unlink()  # steps 4 to 7
    zarr.open(str(path)).create("data/never", shape=(STEPS, 2), chunks=(4, 2), fill_value=3)
    source = ZarrSource(path)
    assert source.missing == ("data/img: 1 chunks are missing, which damages their episodes",)
    assert source.episode(0).frame("img", 3).shape == (12, 16, 3)
    for episode, step in ((0, 4), (1, 0)):
        with pytest.raises(CorruptRecordError, match=r"chunk 1\.0\.0\.0 is missing"):
            source.episode(episode).frame("img", step)
    assert source.episode(2).frame("img", 0).shape == (12, 16, 3)
    assert source.features.unread == {"steps/observation/never": "data/never: none of its 4 chunks is there"}
    described = tmp_path / "cut.yaml"
    described.write_text(propose(source, path))
    findings = {finding.check: finding for finding in verify(open_source(described))}
    assert findings["images"].status == findings["complete files"].status == "warning"


def test_ends_that_are_missing_or_floats(tmp_path: Path) -> None:
    path = write_buffer(tmp_path / "a.zarr", content())
    (path / "meta" / "episode_ends" / "0").unlink()
    with pytest.raises(FeatureError, match="none of its 1 chunks is there"):
        ZarrSource(path)
    root = zarr.open(str(path))
    root.create_dataset("meta/episode_ends", data=np.cumsum(LENGTHS).astype(float), overwrite=True)
    source = ZarrSource(path)
    assert [source.episode_length(index) for index in range(3)] == list(LENGTHS)
    root.create_dataset("meta/episode_ends", data=np.array([5.5, 8, 15]), overwrite=True)
    with pytest.raises(CorruptRecordError, match="episode_ends"):
        ZarrSource(path)


@pytest.mark.parametrize("group", ["", "data", "meta"])
def test_instructions_in_the_attributes_of_a_group(group: str, tmp_path: Path) -> None:
    path = write_buffer(tmp_path / "a.zarr", content())
    zarr.open(str(path))[group or "/"].attrs["task"] = "push the T"
    source = ZarrSource(path)
    assert source.episode(0).value("episode_metadata/task") == "push the T"
    assert "episode_metadata/task" in propose(source, path).partition("instruction:")[2]


@pytest.mark.parametrize("damage", [b"", b"\0" * 40, b"nonsense" * 9])
def test_damaged_chunks_are_named(damage: bytes, tmp_path: Path) -> None:
    path = write_buffer(tmp_path / "bad.zarr", content())
    (path / "data" / "state" / "0.0").write_bytes(damage)
    with pytest.raises(CorruptRecordError, match=r"data/state: chunk 0\.0 cannot be decoded"):
        ZarrSource(path).episode(0).array("state")
    assert ZarrSource(path).episode(2).array("state").shape == (7, 5)


def edited(path: Path, key: str, **changes: Any) -> Path:
    file = path / key / ".zarray"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return path


@pytest.mark.parametrize("changes", [
    {"shape": [15, -1]}, {"shape": "15"}, {"chunks": [0, 2]}, {"chunks": [4]}, {"chunks": [1 << 30, 1 << 30]},
    {"dtype": "|O"}, {"dtype": "nonsense"}, {"zarr_format": 3}, {"compressor": {"id": "pickle"}}, {"compressor": 7},
    {"filters": [{"id": "pickle"}]},
])  # fmt: skip
def test_damaged_descriptions_are_refused_or_left_out(changes: dict[str, Any], tmp_path: Path) -> None:
    path = edited(write_buffer(tmp_path / "odd.zarr", content()), "data/action", **changes)
    try:
        source = ZarrSource(path)
    except DatasetError as error:
        assert "data/action" in str(error)
    else:
        assert "steps/action" in source.features.unread


def test_what_is_not_a_buffer(tmp_path: Path) -> None:
    path = write_buffer(tmp_path / "a.zarr", content())
    with pytest.raises(DatasetError, match="no splits"):
        open_source(path, split="train")
    for ends in ([3, 2, 15], [-1, 15]):
        zarr.open(str(path)).create_dataset("meta/episode_ends", data=np.array(ends), overwrite=True)
        with pytest.raises(CorruptRecordError, match="going up"):
            ZarrSource(path)
    zarr.open(str(path)).create_dataset("meta/episode_ends", data=np.zeros(0, int), overwrite=True)
    with pytest.raises(DatasetError, match="holds no episode"):
        ZarrSource(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="meta/episode_ends"):
        ZarrSource(tmp_path / "empty")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("meta/episode_ends/zarr.json", "{}")
    with pytest.raises(DatasetError):
        open_source(tmp_path / "b.zip")


def test_steps_after_the_last_episode_and_empty_episodes(tmp_path: Path) -> None:
    source = ZarrSource(write_buffer(tmp_path / "a.zarr", content(), (5, 0, 7)))
    assert [source.episode_length(index) for index in range(3)] == [5, 0, 7]
    assert source.missing == ("3 steps after the end of the last episode belong to none and are left out",)
    with pytest.raises(FeatureError):
        source.episode(0).frame("state", 0)

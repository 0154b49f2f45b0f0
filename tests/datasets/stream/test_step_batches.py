"""Raw steps in batches: what the files hold, in one order for any number of workers and threads, damage replaced."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from PIL import Image

from embodio.datasets.codecs.image_codec import decode_image, decode_image_into, encode_image
from embodio.datasets.episodes.features import EpisodeFeatures, ImageFeature, TensorFeature
from embodio.datasets.episodes.source import EpisodeView, put_frame
from embodio.datasets.errors import DatasetError, FeatureError
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.rlds.writer import RLDSWriter, encode_episode
from embodio.datasets.stream.loader import Loader, LoaderConfig
from embodio.datasets.stream.step_batches import StepBatches, StepRecords
from tests.support.datasets.toy import write_toy_dataset


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_dataset(tmp_path_factory.mktemp("steps") / "toy", episodes=4, steps=5)


def test_rows_are_the_steps_of_the_files_each_once_an_epoch(folder: Path) -> None:
    reader, records = RLDSReader(folder), StepRecords(RLDSReader(folder))
    stream, seen = StepBatches(records, seed=3, batch_size=4), set()
    for step in range(5):
        batch, damage = stream.make(step)
        assert not damage and batch["reward"].shape == (4,)
        assert {"action", "observation/state", "observation/front"} <= batch.keys()
        for row, position in enumerate(stream.positions(step)):
            place = records.place(stream.draw(position)[1])
            seen.add(place[1:])
            expected = list(reader.episode(place.episode).steps())[place.step]
            np.testing.assert_array_equal(batch["observation/front"][row], expected["observation"]["front"])
            np.testing.assert_array_equal(batch["observation/hand"][row], expected["observation"]["hand"])
            np.testing.assert_array_equal(batch["action"][row], expected["action"])
            assert bool(batch["is_last"][row]) == expected["is_last"]
    assert seen == {(episode, step) for episode in range(4) for step in range(5)}


def test_the_same_batches_for_any_loader(folder: Path) -> None:
    stream = StepBatches(StepRecords(RLDSReader(folder), ("front", "action")), 0, 6)
    expected = [stream[step] for step in range(8)]
    for how in ({}, {"threads": 1}, {"threads": 3}, {"workers": 2}):
        with Loader(stream, 0, 8, LoaderConfig(**how, prefetch=2, memory_mb=4)) as loader:
            batches = list(loader)
        for batch, wanted in zip(batches, expected, strict=True):
            assert batch.keys() == wanted.keys() == {"front", "action"}
            assert all(torch.equal(batch[name], wanted[name]) for name in wanted)


def test_a_damaged_step_is_replaced_by_another(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "toy"))
    stream = StepBatches(StepRecords(RLDSReader(copy), ("front",)), 0, 5)
    frame = RLDSReader(copy).episode(2).encoded_frame("front", 1)
    shard = next(copy.glob("*.tfrecord*"))
    content = bytearray(shard.read_bytes())
    content[content.index(frame) + len(frame) // 2] ^= 1
    shard.write_bytes(content)
    damage = [error for step in range(4) for error in stream.make(step)[1]]
    assert {(error.episode, error.step) for error in damage} == {(2, 1)}


def test_what_cannot_be_stacked_is_refused(folder: Path) -> None:
    with pytest.raises(FeatureError, match=r"no numeric field or image 'language_instruction'; they have .*action"):
        StepRecords(RLDSReader(folder), ("language_instruction",))
    with pytest.raises(DatasetError, match="record 20: there are 20"):
        StepRecords(RLDSReader(folder)).locate(20)
    with pytest.raises(FeatureError, match=r"shape \(128, 128, 3\), where \(64, 64, 3\)"):
        RLDSReader(folder).episode(0).frame_into("front", 0, np.zeros((64, 64, 3), np.uint8))


@pytest.mark.parametrize("encoding", ["jpeg", "png"])
def test_decoding_into_an_array_gives_the_same_pixels(encoding: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8)
    data, buffers = encode_image(image, encoding), np.zeros((2, 24, 40, 3), np.uint8)

    decode_image_into(data, buffers[1])
    np.testing.assert_array_equal(buffers[1], decode_image(data))
    assert not buffers[0].any()
    for shape in ((24, 41, 3), (24, 39, 3), (12, 80, 3)):
        with pytest.raises(FeatureError, match="declared"):
            decode_image_into(data, np.zeros(shape, np.uint8))


def test_episodes_without_a_way_into_an_array_are_copied(folder: Path) -> None:
    class Plain:
        def frame(self, path: str, step: int) -> np.ndarray:
            return np.full((2, 2, 3), step, np.uint8)

    out = np.zeros((2, 2, 3), np.uint8)
    put_frame(Plain(), "front", 7, out)  # type: ignore[arg-type]
    assert (out == 7).all()
    with pytest.raises(FeatureError, match=r"front: .* \(2, 2, 3\) at step 7, where \(3, 2, 3\)"):
        put_frame(Plain(), "front", 7, np.zeros((3, 2, 3), np.uint8))  # type: ignore[arg-type]


@pytest.mark.parametrize("colours", [0, 2])
def test_many_records_at_once_are_as_one_by_one(tmp_path: Path, colours: int) -> None:
    """Whatever some of them are: whole, of another size, PNG, no image at all, or not there any more."""
    features = EpisodeFeatures({"camera": ImageFeature(16, 24), "mark": TensorFeature("int64", (2,))}, {})
    generator = np.random.default_rng(0)
    with RLDSWriter(tmp_path, "steps", features) as writer:
        for episode in range(6):
            rows: list[dict[str, Any]] = []
            for step in range(8):
                image = generator.integers(0, 256, (16, 24, 3), dtype=np.uint8)
                kind = int(generator.integers(12))
                data = encode_image(image, "png") if kind == 0 else jpeg_of(image[:8] if kind == 1 else image, colours)
                rows.append({"camera": b"nothing" if kind == 2 else data, "mark": np.array([episode, step])})
            writer.add_record(encode_episode(features, rows, {}))
    records = StepRecords(RLDSReader(tmp_path))
    indices = generator.permutation(len(records))
    for _ in range(2):
        buffers, alone = records.buffers(len(indices), np.empty), records.buffers(len(indices), np.empty)
        left = records.read_all(indices, buffers)
        for row, index in enumerate(indices):
            if row in left:
                with pytest.raises(DatasetError):
                    records.read(int(index), alone, row)
            else:
                records.read(int(index), alone, row)
                assert np.array_equal(buffers["camera"][row], alone["camera"][row])
                assert buffers["mark"][row].tolist() == alone["mark"][row].tolist() == list(records.locate(int(index)))
        assert 0 < len(left) < 20
        shard = max(tmp_path.glob("*.tfrecord*"))
        shard.write_bytes(shard.read_bytes()[:-900])  # the second time the last record is cut off


def jpeg_of(image: np.ndarray, colours: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", subsampling=colours)
    return buffer.getvalue()


def test_records_without_compressed_images_are_read_one_by_one(folder: Path) -> None:
    class Plain:
        def __init__(self, reader: RLDSReader) -> None:
            self.reader, self.name, self.features = reader, reader.name, reader.features

        def __len__(self) -> int:
            return len(self.reader)

        def episode_length(self, index: int) -> int:
            return self.reader.episode_length(index)

        def episode(self, index: int) -> Any:
            episode = self.reader.episode(index)
            view = MagicMock(spec=EpisodeView, frame=episode.frame, array=episode.array)
            view.__len__.return_value = len(episode)
            return view

    expected, plain = StepBatches(StepRecords(RLDSReader(folder)), 0, 10), Plain(RLDSReader(folder))
    batch, wanted = StepBatches(StepRecords(plain), 0, 10)[1], expected[1]  # type: ignore[arg-type]
    assert all(torch.equal(batch[name], wanted[name]) for name in wanted)

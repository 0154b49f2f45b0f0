"""Raw steps in batches: what the files hold, in one order for any number of workers and threads, damage replaced."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from embodio.datasets.errors import DatasetError, FeatureError
from embodio.datasets.loader import Loader, LoaderConfig
from embodio.datasets.rlds.image_codec import decode_image, decode_image_into, encode_image
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.source import put_frame
from embodio.datasets.step_batches import StepBatches, StepRecords
from tests.datasets.toy import write_toy_dataset


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
    data, room = encode_image(image, encoding), np.zeros((2, 24, 40, 3), np.uint8)

    decode_image_into(data, room[1])
    np.testing.assert_array_equal(room[1], decode_image(data))
    assert not room[0].any()
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

"""RLDS data sets: what is written comes back, from any number of shards, and damage is named."""

from __future__ import annotations

import json
import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.datasets import CorruptRecordError, DatasetError, FeatureError, RLDSReader, RLDSWriter
from embodio.datasets.episodes.feature_json import read_features
from embodio.datasets.rlds import ImageFeature, TensorFeature, TextFeature, features_of
from embodio.datasets.rlds.pieces.record_index import INDEX_NAME
from embodio.datasets.rlds.writer import write_dataset
from tests.support.datasets.fake_robot import fake_embodiment
from tests.support.datasets.rlds_files import FEATURES, make_episode, write


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(1, 2000), st.text(max_size=12))
def test_round_trip(lengths: list[int], shard_bytes: int, text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with RLDSWriter(folder, "toy", FEATURES, shard_bytes=shard_bytes) as writer:
            for seed, length in enumerate(lengths):
                writer.add(*make_episode(seed, length, text))
        reader = RLDSReader(folder)
        assert [len(episode) for episode in reader] == lengths
        assert [reader.episode_length(index) for index in range(len(reader))] == lengths
        for seed, episode in enumerate(reader):
            written, _ = make_episode(seed, lengths[seed], text)
            assert episode.metadata == {"seed": seed, "place": text}
            assert episode.instruction == text
            for step, found in zip(written, episode.steps(), strict=True):
                assert np.array_equal(found["observation"]["camera"], step["observation/camera"])
                assert np.array_equal(found["observation"]["depth"]["values"], step["observation/depth/values"])
                assert np.array_equal(found["action"], step["action"])
                assert (found["count"], found["is_last"]) == (step["count"], step["is_last"])
                assert found["language_instruction"] == text


def test_arrays_have_declared_type_and_shape(tmp_path: Path) -> None:
    episode = RLDSReader(write(tmp_path, [3])).episode(0)
    assert episode.array("action").shape == (3, 2)
    assert episode.array("is_last").dtype == np.bool_
    assert episode.array("is_last").tolist() == [False, False, True]
    assert episode.array("depth/values").dtype == np.float32
    assert episode.observation_keys == ("camera", "depth/values")
    assert episode.cameras == ("camera",)
    with pytest.raises(ValueError, match="read-only"):
        episode.array("action")[0] = 0


def test_shards_fill_up_in_order(tmp_path: Path) -> None:
    write(tmp_path, [2] * 7, shard_bytes=1)
    names = sorted(path.name for path in tmp_path.glob("toy*"))
    assert names == [f"toy-train.tfrecord-{shard:05d}-of-00007" for shard in range(7)]
    assert [episode.metadata["seed"] for episode in RLDSReader(tmp_path)] == list(range(7))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"action": np.zeros(3, np.float32)}, r"action: shape \(3,\)"),
        ({"action": np.array(["a", "b"])}, "action: <U1"),
        ({"count": 0.5}, "count: float64"),
        ({"observation/camera": np.zeros((4, 6, 3), np.float32)}, "observation/camera: float32"),
        ({"observation/camera": np.zeros((5, 6, 3), np.uint8)}, r"observation/camera: uint8 \(5, 6, 3\)"),
        ({"language_instruction": b"lift"}, "language_instruction: bytes"),
        ({"extra": 1}, r"undeclared \['extra'\]"),
    ],
)
def test_values_that_do_not_fit_are_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    steps, episode = make_episode(0, 2)
    steps[1] |= change
    with pytest.raises(FeatureError, match=message), RLDSWriter(tmp_path, "toy", FEATURES) as writer:
        writer.add(steps, episode)
    assert not list(tmp_path.iterdir())


def test_missing_field_and_empty_episode_are_refused(tmp_path: Path) -> None:
    steps, episode = make_episode(0, 1)
    del steps[0]["action"]
    writer = RLDSWriter(tmp_path, "toy", FEATURES)
    with pytest.raises(FeatureError, match=r"step 0 lacks \['action'\]"):
        writer.add(steps, episode)
    with pytest.raises(FeatureError, match="at least one step"):
        writer.add([], episode)
    with pytest.raises(DatasetError, match="at least one episode"):
        writer.close()


def test_an_exception_leaves_nothing_that_looks_complete(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), RLDSWriter(tmp_path, "toy", FEATURES) as writer:
        writer.add(*make_episode(0, 1))
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_existing_data_set_is_not_overwritten(tmp_path: Path) -> None:
    write(tmp_path, [1])
    with pytest.raises(DatasetError, match="already holds"):
        RLDSWriter(tmp_path, "toy", FEATURES)


@pytest.mark.parametrize("name", ["Toy", "a-b", "", "1a", "a b"])
def test_names_that_tfds_refuses_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="small letters"):
        RLDSWriter(tmp_path, name, FEATURES)


def test_embodiment_travels_with_the_data(tmp_path: Path) -> None:
    embodiment = fake_embodiment()
    steps, episode = make_episode(0, 1)
    with RLDSWriter(tmp_path / "source", "toy", FEATURES) as writer:
        writer.add(steps, episode)
    source = RLDSReader(tmp_path / "source")
    with pytest.raises(DatasetError, match=r"embodiment\.json is missing"):
        _ = source.embodiment
    write_dataset(tmp_path / "copy", "toy", embodiment, FEATURES, [source.record(0)])
    assert RLDSReader(tmp_path / "copy").embodiment == embodiment


def test_unknown_fields_and_steps_are_named(tmp_path: Path) -> None:
    episode = RLDSReader(write(tmp_path, [2])).episode(0)
    with pytest.raises(FeatureError, match=r"no field 'wrist'; they have .*observation/camera"):
        episode.frame("wrist", 0)
    with pytest.raises(FeatureError, match="not an image"):
        episode.frame("action", 0)
    with pytest.raises(FeatureError, match="not numeric"):
        episode.array("camera")
    with pytest.raises(FeatureError, match="not text"):
        episode.text("action", 0)
    for step in (-1, 2):
        with pytest.raises(IndexError):
            episode.frame("camera", step)


@pytest.mark.parametrize("index", [-1, 3])
def test_unknown_episode(tmp_path: Path, index: int) -> None:
    reader = RLDSReader(write(tmp_path, [1, 1, 1]))
    with pytest.raises(IndexError, match="a data set of 3"):
        reader.episode(index)


def test_damage_inside_a_record_is_named(tmp_path: Path) -> None:
    write(tmp_path, [1, 2, 1])
    (shard,) = tmp_path.glob("toy*")
    reader = RLDSReader(tmp_path)
    offset = int(reader._shards[0]._spans[1, 0])
    content = bytearray(shard.read_bytes())
    content[offset + 5] ^= 1
    shard.write_bytes(content)
    reader = RLDSReader(tmp_path)
    assert len(reader.episode(0)) == 1
    with pytest.raises(CorruptRecordError, match="record 1: the checksum of the payload is wrong"):
        reader.episode(1)
    assert len(reader.episode(2)) == 1


def test_truncated_shard_is_named(tmp_path: Path) -> None:
    write(tmp_path, [1, 2])
    (shard,) = tmp_path.glob("toy*")
    os.truncate(shard, shard.stat().st_size - 1)
    with pytest.raises(CorruptRecordError, match="record 1: the file ends 1 bytes too early"):
        RLDSReader(tmp_path)


def test_shard_that_lost_whole_records_is_named(tmp_path: Path) -> None:
    write(tmp_path, [1, 2])
    (shard,) = tmp_path.glob("toy*")
    os.truncate(shard, int(RLDSReader(tmp_path)._shards[0]._spans[1, 0]) - 12)
    with pytest.raises(CorruptRecordError, match=r"1 records, but dataset_info\.json says 2"):
        RLDSReader(tmp_path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"dataset_info\.json is missing"):
        RLDSReader(tmp_path)
    write(tmp_path, [1])
    (shard,) = tmp_path.glob("toy*")
    content = shard.read_bytes()
    shard.unlink()
    with pytest.raises(DatasetError, match=rf"{shard.name} is missing"):
        RLDSReader(tmp_path)
    shard.write_bytes(content)
    (tmp_path / "features.json").unlink()
    with pytest.raises(FeatureError, match=r"features\.json is missing"):
        RLDSReader(tmp_path)


def test_unknown_split_and_format_are_named(tmp_path: Path) -> None:
    write(tmp_path, [1])
    with pytest.raises(DatasetError, match="no split 'test'; it has train"):
        RLDSReader(tmp_path, split="test")
    path = tmp_path / "dataset_info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"fileFormat": "riegeli"}))
    with pytest.raises(DatasetError, match="not riegeli"):
        RLDSReader(tmp_path)


def test_index_is_used_while_true_and_rebuilt_when_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a", [1, 2])
    RLDSReader(tmp_path / "a")
    with monkeypatch.context() as patch:
        patch.setattr("embodio.datasets.rlds.pieces.record_index.scan", lambda file: pytest.fail("scanned again"))
        assert len(RLDSReader(tmp_path / "a")) == 2
    write(tmp_path / "b", [3, 1])
    (old,), (new,) = (list((tmp_path / name).glob("toy*")) for name in "ab")
    old.write_bytes(new.read_bytes())
    assert [len(episode) for episode in RLDSReader(tmp_path / "a")] == [3, 1]


@pytest.mark.parametrize("content", ["", "[]", '{"toy-train.tfrecord-00000-of-00001": 1}'])
def test_damaged_index_is_ignored(tmp_path: Path, content: str) -> None:
    write(tmp_path, [1, 2])
    (tmp_path / INDEX_NAME).write_text(content)
    assert [len(episode) for episode in RLDSReader(tmp_path)] == [1, 2]


def test_index_that_cannot_be_written_does_not_matter(tmp_path: Path) -> None:
    write(tmp_path, [1, 2])
    (tmp_path / INDEX_NAME).mkdir()
    assert [len(episode) for episode in RLDSReader(tmp_path)] == [1, 2]
    assert not list(tmp_path.glob(".*"))


def test_copies_read_on_their_own(tmp_path: Path) -> None:
    reader = RLDSReader(write(tmp_path, [1, 2]))
    assert len(reader.episode(1)) == 2
    copy = pickle.loads(pickle.dumps(reader))
    reader.close()
    assert len(copy.episode(1)) == 2
    assert len(reader.episode(0)) == 1


def test_features_come_from_the_embodiment() -> None:
    features = features_of(fake_embodiment())
    assert features.steps["observation/front"] == ImageFeature(8, 12, 3, "jpeg")
    assert features.steps["observation/state"] == TensorFeature("float32", (2,))
    assert features.steps["expert_action"] == TensorFeature("float32", (3,))
    assert read_features(features.to_json()) == features


def test_features_survive_json() -> None:
    assert read_features(json.loads(json.dumps(FEATURES.to_json()))) == FEATURES


def step_feature(description: dict[str, Any]) -> dict[str, Any]:
    step = {"featuresDict": {"features": {"x": description}}}
    return {"featuresDict": {"features": {"steps": {"sequence": {"feature": step, "length": "-1"}}}}}


@pytest.mark.parametrize(
    ("description", "feature"),
    [
        ({"tensor": {"dtype": "string", "shape": {}}}, TextFeature()),
        ({"classLabel": {"numClasses": "3"}}, TensorFeature("int64")),
        ({"tensor": {"dtype": "float64", "shape": {"dimensions": ["2"]}}}, TensorFeature("float64", (2,))),
        ({"image": {"shape": {"dimensions": ["-1", "-1", "3"]}, "dtype": "uint8"}}, ImageFeature(None, None, 3, "png")),
    ],
)
def test_features_of_published_data_sets(description: dict[str, Any], feature: Any) -> None:
    assert read_features(step_feature(description)).steps == {"x": feature}


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"audio": {}, "pythonClassName": "Audio"}, "x: features of the kind Audio"),
        ({"tensor": {"dtype": "complex64", "shape": {}}}, "x: arrays of complex64"),
        ({"tensor": {"dtype": "float32", "encoding": "lzma", "shape": {}}}, "x: arrays with encoding 'lzma'"),
        ({"tensor": {"dtype": "float32", "shape": {"dimensions": ["-1"]}}}, "x: an array whose size differs"),
        ({"image": {"shape": {"dimensions": ["2", "2", "3"]}, "dtype": "float32"}}, "x: only uint8 images"),
        ({"image": {"shape": {"dimensions": ["2", "2", "4"]}, "dtype": "uint8"}}, "x: only uint8 images"),
        ({"sequence": {"feature": {"sequence": {"feature": {"text": {}}}}}}, "x: sequences of sequences"),
    ],
)
def test_features_that_cannot_be_read_are_named_and_left_out(description: dict[str, Any], message: str) -> None:
    with pytest.raises(FeatureError, match=message):
        read_features(step_feature(description))
    both = step_feature(description)
    both["featuresDict"]["features"]["steps"]["sequence"]["feature"]["featuresDict"]["features"]["y"] = {"text": {}}
    features = read_features(both)
    assert features.steps == {"y": TextFeature()}
    assert message in features.unread["steps/x"]


def test_data_sets_without_steps_are_refused() -> None:
    with pytest.raises(FeatureError, match="not episodes"):
        read_features({"featuresDict": {"features": {"image": {"image": {}}}}})

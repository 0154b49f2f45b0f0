"""robomimic files: values, filter keys, damage."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from embodio.datasets.episodes.source import EpisodeView
from embodio.datasets.errors import CorruptRecordError, DatasetError
from embodio.datasets.opening import open_source
from embodio.datasets.sources.hdf5 import HDF5Source


@pytest.fixture
def path(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    found = tmp_path / "lift.hdf5"
    with h5py.File(found, "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_name": "Lift"})
        for number in (0, 2, 10):
            length = number + 2
            group = data.create_group(f"demo_{number}")
            group["actions"] = np.full((length, 7), number, np.float64)
            group["rewards"] = np.zeros(length)
            group["dones"] = np.arange(length) == length - 1
            group["obs/agentview_image"] = generator.integers(0, 256, (length, 8, 9, 3), np.uint8)
            group["obs/robot0_eef_pos"] = generator.normal(size=(length, 3))
            group["next_obs/robot0_eef_pos"] = np.zeros((length, 3))
        file["mask/train"] = np.array([b"demo_0", b"demo_10"])
        file["mask/valid"] = np.array([b"demo_2"])
    return found


def test_values(path: Path) -> None:
    source = open_source(path)
    assert source.name == "lift"
    copy = pickle.loads(pickle.dumps(source))
    assert [copy.episode_length(i) for i in range(len(copy))] == [2, 4, 12]
    episode = copy.episode(1)
    assert isinstance(episode, EpisodeView)
    assert episode.cameras == ("agentview_image",)
    assert set(episode.observation_keys) == {"agentview_image", "robot0_eef_pos"}
    with h5py.File(path) as file:
        group = file["data/demo_2"]
        assert np.array_equal(episode.array("action"), group["actions"])
        assert np.array_equal(episode.array("robot0_eef_pos"), group["obs/robot0_eef_pos"])
        assert np.array_equal(episode.frame("agentview_image", 3), group["obs/agentview_image"][3])
    assert episode.array("is_terminal").tolist() == [False, False, False, True]
    assert episode.metadata == {"episode_id": "demo_2", "filter_train": False, "filter_valid": True}
    with pytest.raises(IndexError):
        episode.frame("agentview_image", 4)
    with pytest.raises(IndexError):
        copy.episode(3)


def test_a_filter_key_is_a_split(path: Path) -> None:
    assert [len(HDF5Source(path, split="train").episode(i)) for i in range(2)] == [2, 12]
    with pytest.raises(DatasetError, match="no filter key 'test'; it has train, valid"):
        HDF5Source(path, split="test")


def test_a_yaml_file_adds_robot_and_instruction(path: Path) -> None:
    description = path.with_name("lift.yaml")
    description.write_text(
        "# embodio-data inspect source=lift.yaml\n"
        "name: lift\nkind: hdf5\nfolder: lift.hdf5\n"
        "observation: {view: observation/agentview_image, state: 'observation/robot0_eef_pos[1:3]'}\n"
        "action: ['action[0:2]', 'action[6]']\ninstruction: {text: lift the cube}\n"
        "filters: {min_steps: 3, values: {episode_metadata/filter_train: true}}\n"
        "embodiment:\n  control_hz: 20\n  state: [[y, m, -1, 1], [z, m, -1, 1]]\n"
        "  action: {mode: delta, frame: base, rotation: none, gripper: closed_is_high, controller: osc,\n"
        "    dimensions: [[x, m, -1, 1], ['y', m, -1, 1], [gripper, '', -1, 1, binary]]}\n"
    )
    source = open_source(description)
    assert [source.episode_length(i) for i in range(len(source))] == [12]
    episode = source.episode(0)
    assert episode.instruction == "lift the cube"
    assert episode.array("action").tolist() == [[10.0, 10.0, 10.0]] * 12
    assert episode.array("state").shape == (12, 2)
    camera = source.embodiment.cameras[0]
    assert (camera.name, camera.height, camera.width) == ("view", 8, 9)


def test_damage_is_named(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(CorruptRecordError, match="cut off"):
        HDF5Source(path)
    path.write_bytes(data)
    with h5py.File(path, "a") as file:
        del file["data/demo_2/obs/robot0_eef_pos"]
    with pytest.raises(CorruptRecordError, match="record 1: obs/robot0_eef_pos cannot be read"):
        HDF5Source(path).episode(1).array("robot0_eef_pos")


def test_states_alone_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "demo.hdf5", "w") as file:
        group = file.create_group("data/demo_1")
        group["states"], group["actions"] = np.zeros((3, 32)), np.zeros((3, 7))
    with pytest.raises(DatasetError, match=r"no observations.*dataset_states_to_obs"):
        HDF5Source(tmp_path / "demo.hdf5")

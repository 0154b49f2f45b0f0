"""Public layouts in HDF5, written in the schema of their recorders and read value for value."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from embodio.datasets.conversion.inspect_source import propose
from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError
from embodio.datasets.opening import open_source
from tests.support.datasets.hdf5_writers import aloha, frames, isaac_lab, libero, maniskill, minari, robomimic


def described(path: Path, tmp_path: Path, change: tuple[str, str] = ("", "")) -> EpisodeSource:
    """The data set through the YAML that inspect proposes."""
    file = tmp_path / "described.yaml"
    file.write_text(propose(open_source(path), path).replace(*change))
    return open_source(file)


@pytest.mark.parametrize("compress", [False, True])
def test_aloha(compress: bool, tmp_path: Path) -> None:
    folder = aloha(tmp_path / "aloha", (8, 9), compress=compress)
    source = pickle.loads(pickle.dumps(open_source(folder)))
    assert [source.episode_length(number) for number in range(len(source))] == [8, 9]
    episode = source.episode(1)
    assert episode.cameras == ("cam_high", "cam_left_wrist")
    assert set(episode.observation_keys) == {"cam_high", "cam_left_wrist", "qpos", "qvel", "effort"}
    assert episode.array("action").shape == (9, 14) and episode.array("action")[8, 13] == 0.125
    difference = episode.frame("cam_high", 8).astype(int) - frames(9)[8]
    assert np.abs(difference).mean() < (2 if compress else 1e-9)
    assert episode.metadata["file"] == "episode_1.hdf5" and episode.metadata["compress"] is compress
    assert [camera.name for camera in described(folder, tmp_path).embodiment.cameras] == ["cam_high", "cam_left_wrist"]
    assert open_source(folder / "episode_0.hdf5").episode_length(0) == 8


def test_red_and_blue_can_be_swapped_back(tmp_path: Path) -> None:
    folder = aloha(tmp_path / "aloha")
    swapped = described(folder, tmp_path, ("filters:", "bgr: [cam_high]\nfilters:")).episode(0)
    assert np.array_equal(swapped.frame("cam_high", 2), frames(3)[2][..., ::-1])
    assert np.array_equal(swapped.frame("cam_left_wrist", 2), frames(3)[2])
    with pytest.raises(FeatureError, match="bgr: 'front' is not among the cameras: cam_high, cam_left_wrist"):
        described(folder, tmp_path, ("filters:", "bgr: [front]\nfilters:"))


def test_aloha_files_are_in_order_of_their_numbers_and_a_damaged_one_is_one_episode(tmp_path: Path) -> None:
    folder = aloha(tmp_path / "aloha", tuple(range(2, 14)))
    (folder / "episode_10.hdf5").write_bytes((folder / "episode_10.hdf5").read_bytes()[:2000])
    source = open_source(folder)
    assert [source.episode_length(number) for number in range(10)] == list(range(2, 12))
    with pytest.raises(CorruptRecordError, match=r"episode_10\.hdf5"):
        source.episode(10)
    assert len(source.episode(11)) == 13


def test_the_rate_in_an_attribute(tmp_path: Path) -> None:
    def edit(file: Any, number: int, length: int) -> None:
        file.attrs["fps"] = 50

    assert described(aloha(tmp_path / "aloha", edit=edit), tmp_path).embodiment.control_hz == 50


def test_libero(tmp_path: Path) -> None:
    texts = ("close the drawer", "put the bowl on the stove")
    source = described(libero(tmp_path / "libero", texts), tmp_path)
    assert [source.episode(number).instruction for number in range(4)] == [texts[0], texts[0], texts[1], texts[1]]
    assert source.episode(0).cameras == ("agentview_rgb", "eye_in_hand_rgb")
    assert source.episode(3).metadata["problem_info/language_instruction"] == texts[1]


def test_robocasa(tmp_path: Path) -> None:
    def edit(group: Any, number: int, length: int) -> None:
        group.attrs["ep_meta"] = json.dumps({"layout_id": 3, "lang": f"open drawer {number}", "fixtures": {"a": {}}})
        group.attrs["model_file"] = "<mujoco/>"

    source = described(robomimic(tmp_path / "casa.hdf5", edit=edit), tmp_path)
    assert [source.episode(number).instruction for number in range(2)] == ["open drawer 0", "open drawer 1"]
    assert "model_file" not in source.episode(0).metadata


def test_isaac_lab(tmp_path: Path) -> None:
    path = isaac_lab(tmp_path / "isaac.hdf5")
    source = open_source(path)
    assert source.episode(0).array("datagen_info/eef_pose/franka").shape == (6, 4, 4)
    assert source.episode(0).array("observation/datagen_info/subtask_term_signals/grasp_1").dtype == bool
    assert (
        "1 values in an episode of 6 steps"
        in source.features.unread["steps/initial_state/articulation/robot/joint_position"]
    )
    good = described(path, tmp_path, ("{min_steps: 1}", "{values: {episode_metadata/success: true}}"))
    assert len(good) == 1 and good.episode(0).metadata["seed"] == 0


def test_maniskill(tmp_path: Path) -> None:
    path = maniskill(tmp_path / "trajectory.h5")
    source = open_source(path)
    assert [source.episode_length(number) for number in range(3)] == [5, 6, 7]
    episode = source.episode(2)
    assert episode.cameras == ("base_camera",) and (episode.array("action") == 10).all()
    assert np.array_equal(episode.frame("base_camera", 6), frames(7)[6])
    assert episode.array("agent/qpos")[-1, 0] == 6 * 9 and episode.array("base_camera_depth").shape == (7, 32, 40, 1)
    assert episode.metadata["episode_seed"] == 110 and episode.metadata["source_type"] == "motionplanning"
    assert [source.episode(number).metadata["success"] for number in range(3)] == [True, False, True]
    path.with_suffix(".json").unlink()
    assert "episode_seed" not in open_source(path).episode(0).metadata
    assert len(described(tmp_path, tmp_path)) == 3


def test_minari(tmp_path: Path) -> None:
    source = open_source(minari(tmp_path / "main_data.hdf5"))
    episode = source.episode(1)
    assert len(episode) == 6 and episode.cameras == ("image",)
    assert np.array_equal(episode.frame("image", 5), frames(6)[5])
    assert episode.array("truncation").tolist() == [False] * 5 + [True]
    assert episode.metadata["seed"] == 7


def test_other_files_are_refused_with_what_is_known(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["terminals"] = np.zeros(3)
    with pytest.raises(DatasetError, match=r"x\.h5 holds terminals, .*robomimic .*ALOHA"):
        open_source(tmp_path / "x.h5")


def test_files_of_another_layout_in_a_folder_are_damaged_episodes(tmp_path: Path) -> None:
    folder = aloha(tmp_path / "mixed")
    robomimic(folder / "episode_7.hdf5")
    with h5py.File(folder / "broken_0.hdf5", "w") as file:  # a recording that was stopped before it had actions
        file.create_group("observations/images")
    source = open_source(folder)
    assert len(source) == 4 and len(source.episode(1)) == 8
    with pytest.raises(CorruptRecordError, match="holds observations, which is none of the layouts"):
        source.episode(0)
    with pytest.raises(CorruptRecordError, match="of the layout of robomimic, others here of ALOHA"):
        source.episode(3)

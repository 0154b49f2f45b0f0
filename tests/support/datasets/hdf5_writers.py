"""HDF5 files as other people's recorders write them, with the images and texts that were put in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np

Edit = Callable[[Any, int, int], object]
"""Adds to an episode's group, given its number and length."""


def frames(length: int, height: int = 32, width: int = 40) -> np.ndarray:
    """Smooth images, uint8 [T, H, W, 3], each with a colour of its own."""
    rows, columns = np.mgrid[:height, :width]
    found = [np.stack([np.full_like(rows, 100 + 3 * step), rows * 4, 40 + columns], -1) for step in range(length)]
    return np.array(found, np.uint8).reshape(length, height, width, 3)


def robomimic(path: Path, lengths: tuple[int, ...] = (6, 7), edit: Edit | None = None, *, camera: bool = True) -> Path:
    """data/demo_0/{actions, obs}, with whatever `edit` adds."""
    generator = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for number, length in enumerate(lengths):
            group = file.create_group(f"data/demo_{number}")
            group["actions"] = generator.uniform(-1, 1, (length, 7))
            group["obs/robot0_eef_pos"] = generator.normal(size=(length, 3))
            if camera:
                group["obs/agentview_image"] = frames(length)
            if edit is not None:
                edit(group, number, length)
    return path


def libero(folder: Path, texts: tuple[str, ...]) -> Path:
    """A folder with one file a task, whose instruction is in the attribute `problem_info`."""
    folder.mkdir()
    for text in texts:
        with h5py.File(folder / f"{text.replace(' ', '_')}_demo.hdf5", "w") as file:
            data = file.create_group("data")
            info = {"problem_name": "tabletop", "domain_name": "robosuite", "language_instruction": text}
            data.attrs["problem_info"] = json.dumps(info)
            data.attrs["env_args"] = json.dumps({"type": 1, "env_name": "Libero_Kitchen", "env_kwargs": {}})
            data.attrs["bddl_file_content"] = "(define (problem x) (:language close it))"
            for number in range(2):
                group = data.create_group(f"demo_{number}")
                group["actions"], group["dones"] = np.zeros((4, 7)), np.arange(4) == 3
                group["rewards"], group["robot_states"] = np.zeros(4, np.uint8), np.zeros((4, 9))
                group["obs/agentview_rgb"], group["obs/eye_in_hand_rgb"] = frames(4), frames(4)
                group["obs/ee_states"], group["obs/gripper_states"] = np.zeros((4, 6)), np.zeros((4, 2))
    return folder


def aloha(folder: Path, lengths: tuple[int, ...] = (8, 9), *, compress: bool = False, edit: Edit | None = None) -> Path:
    """One file an episode; images raw, or as JPEGs of RGB frames from OpenCV, padded to one length."""
    folder.mkdir()
    for number, length in enumerate(lengths):
        with h5py.File(folder / f"episode_{number}.hdf5", "w", rdcc_nbytes=2 << 20) as file:
            file.attrs["sim"], file.attrs["compress"] = False, compress
            images, used = file.create_group("observations/images"), []
            for camera in ("cam_high", "cam_left_wrist"):
                if not compress:
                    images[camera] = frames(length)
                    continue
                rows = [
                    cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].ravel() for frame in frames(length)
                ]
                used.append([len(row) for row in rows])
                padded = images.create_dataset(camera, (length, max(used[-1], default=0) + 30), np.uint8)
                for row, data in enumerate(rows):
                    padded[row, : len(data)] = data
            for name in ("qpos", "qvel", "effort"):
                file[f"observations/{name}"] = np.zeros((length, 14))
            file["action"] = np.arange(length * 14, dtype=np.float64).reshape(length, 14) / 1000
            if compress:
                file["compress_len"] = np.array(used, np.float64)
            if edit is not None:
                edit(file, number, length)
    return folder


def maniskill(path: Path) -> Path:
    """traj_0 and others with T actions and T + 1 observations, and the JSON file of the same name."""
    with h5py.File(path, "w") as file:
        for number, length in ((0, 5), (2, 6), (10, 7)):
            group = file.create_group(f"traj_{number}")
            group["actions"] = np.full((length, 8), number, np.float32)
            for name in ("terminated", "truncated", "success"):
                group[name] = np.arange(length) == length - 1
            group["obs/agent/qpos"] = np.arange((length + 1) * 9, dtype=np.float32).reshape(length + 1, 9)
            group["obs/sensor_data/base_camera/rgb"] = frames(length + 1)
            group["obs/sensor_data/base_camera/depth"] = np.ones((length + 1, 32, 40, 1), np.int16)
            group["env_states/actors/cube"] = np.zeros((length + 1, 13))
    episodes = [
        {"episode_id": number, "episode_seed": 100 + number, "control_mode": "pd_joint_pos", "success": number != 2}
        for number in (0, 2, 10)
    ]
    env = {"env_id": "PickCube-v1", "max_episode_steps": 50, "env_kwargs": {"obs_mode": "rgbd"}}
    side = {"env_info": env, "source_type": "motionplanning", "source_desc": "a planner", "episodes": episodes}
    path.with_suffix(".json").write_text(json.dumps(side))
    return path


def minari(path: Path) -> Path:
    """episode_0 and others with T actions, and T + 1 observations in a dictionary."""
    with h5py.File(path, "w") as file:
        for number, length in ((0, 5), (1, 6)):
            group = file.create_group(f"episode_{number}")
            group.attrs.update({"id": number, "seed": 7, "total_steps": length})
            group["actions"], group["rewards"] = np.zeros((length, 4)), np.zeros(length)
            group["terminations"], group["truncations"] = np.zeros(length, bool), np.arange(length) == length - 1
            group["observations/observation"] = np.zeros((length + 1, 10))
            group["observations/image"], group["infos/success"] = frames(length + 1), np.zeros(length + 1, bool)
    return path


def isaac_lab(path: Path) -> Path:
    """Groups in groups, an initial state of one value, and numbers in the attributes of each demonstration."""

    def edit(group: Any, number: int, length: int) -> None:
        group.file["data"].attrs["env_args"] = json.dumps({"env_name": "Isaac-Stack-Cube-v0", "type": 2})
        group.attrs.update({"num_samples": length, "seed": number, "success": number != 1})
        group["initial_state/articulation/robot/joint_position"] = np.zeros((1, 9))
        group["states/articulation/robot/joint_position"] = np.zeros((length, 9))
        group["obs/datagen_info/eef_pose/franka"] = np.zeros((length, 4, 4))
        group["obs/datagen_info/subtask_term_signals/grasp_1"] = np.arange(length) > 2

    return robomimic(path, edit=edit)

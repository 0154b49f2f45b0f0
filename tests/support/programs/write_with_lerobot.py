"""Writes a small data set with LeRobot itself; run where LeRobot is installed."""

from __future__ import annotations

import os
import sys

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset

FPS, LENGTHS, SIZE = 12, (5, 3, 7), (32, 48, 3)
TASKS = ("open the door", "close the door", "open the door")


def picture(index: int) -> np.ndarray:
    """A frame that says which step it belongs to."""
    rows = np.linspace(0, 60, SIZE[0])[:, None, None]
    return np.broadcast_to(rows + 20 + 10 * index, SIZE).astype(np.uint8)


def main(folder: str, kind: str) -> None:
    """Writes three episodes with `kind` ("video" or "image") for the camera."""
    camera = {"dtype": kind, "shape": SIZE, "names": ["height", "width", "channels"]}
    features = {
        "observation.images.front": camera,
        "observation.state": {"dtype": "float32", "shape": (3,), "names": ["a", "b", "c"]},
        "action": {"dtype": "float32", "shape": (2,), "names": ["x", "y"]},
        "next.reward": {"dtype": "float32", "shape": (1,), "names": None},
        "next.done": {"dtype": "bool", "shape": (1,), "names": None},
        "force": {"dtype": "float64", "shape": (2, 3), "names": None},
    }
    options = {"vcodec": "h264"} if kind == "video" else {}
    dataset = LeRobotDataset.create("local/data", FPS, features, root=folder, use_videos=kind == "video", **options)
    index = 0
    for length, task in zip(LENGTHS, TASKS, strict=True):
        for step in range(length):
            dataset.add_frame(
                {
                    "observation.images.front": picture(index),
                    "observation.state": np.array([index, step, length], np.float32),
                    "action": np.array([step, -step], np.float32),
                    "next.reward": np.array([step / 2], np.float32),
                    "next.done": np.array([step == length - 1]),
                    "force": np.arange(6.0).reshape(2, 3) + index,
                    "task": task,
                }
            )
            index += 1
        dataset.save_episode()
    dataset.finalize()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

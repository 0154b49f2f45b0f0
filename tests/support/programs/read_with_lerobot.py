"""Writes what LeRobot reads in a folder to a .npz file: "step|field" -> value; run where LeRobot is installed."""

from __future__ import annotations

import os
import sys

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset


def main(folder: str, out: str) -> None:
    """Reads every step."""
    dataset = LeRobotDataset("local/data", root=folder, video_backend="pyav")
    values: dict[str, np.ndarray] = {"fps": np.array(dataset.fps), "robot": np.array(str(dataset.meta.robot_type))}
    for index in range(len(dataset)):
        for name, value in dataset[index].items():
            values[f"{index}|{name}"] = value.numpy() if hasattr(value, "numpy") else np.array(value)
    for name, rows in dataset.meta.stats.items():
        values |= {f"{key}|{name}": np.array(value) for key, value in rows.items()}
    np.savez(out, **values)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

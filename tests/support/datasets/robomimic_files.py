"""An HDF5 file as robomimic writes it."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np


def write_robomimic(path: Path) -> Path:
    generator = np.random.default_rng(0)
    controller = {"type": "OSC_POSE", "control_delta": True, "output_max": [0.05]}
    kwargs = {"control_freq": 25, "controller_configs": controller, "robots": ["Panda"]}
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_name": "NutAssemblySquare", "type": 1, "env_kwargs": kwargs})
        for number in range(2):
            group = data.create_group(f"demo_{number}")
            group["actions"] = np.clip(generator.normal(size=(5, 7)), -1, 1)
            group["obs/agentview_image"] = generator.integers(0, 256, (5, 8, 9, 3), np.uint8)
            for name, size in (("eef_pos", 3), ("eef_quat", 4), ("gripper_qpos", 2), ("joint_pos", 7)):
                group[f"obs/robot0_{name}"] = generator.normal(size=(5, size))
    return path

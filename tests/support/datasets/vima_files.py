"""Episodes in the files of VIMA's data set."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from embodio.datasets.codecs.image_codec import encode_image
from embodio.envs.planar_poses import from_planar


def write_episode(folder: Path, length: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    for view in ("front", "top"):
        (folder / f"rgb_{view}").mkdir(parents=True)
        for step in range(length + 1):
            image = np.full((128, 256, 3), 10 * step + 5, np.uint8)
            (folder / f"rgb_{view}" / f"{step}.jpg").write_bytes(encode_image(image, "jpeg"))
    planar = generator.uniform(np.array([0.25, -0.5, 0] * 2), np.array([0.75, 0.5, 359] * 2), (length, 6))
    parts = {"pose0_position": 2, "pose0_rotation": 6, "pose1_position": 8, "pose1_rotation": 12}
    action = dict(zip(parts, np.split(from_planar(planar), list(parts.values())[:-1], axis=1), strict=True))
    segm = {view: generator.integers(0, 9, (length + 1, 128, 256)).astype(np.uint8) for view in ("front", "top")}
    scene = {
        "rgb": {view: np.moveaxis(np.full((128, 256, 3), seed, np.uint8), -1, 0) for view in ("front", "top")},
        "segm": {"front": segm["front"][0], "top": segm["top"][0], "obj_info": {"obj_id": 1}},
        "placeholder_type": "object",
    }
    meta = {"prompt": "Rotate the {thing} 90 degrees.", "prompt_assets": {"thing": scene}, "steps": length}
    meta |= {"success": True, "failure": False, "seed": seed, "end_effector_type": "suction"}
    observations = {"segm": segm, "ee": np.zeros(length + 1, np.int64)}
    for name, value in (("action", action), ("obs", observations), ("trajectory", meta)):
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(value))

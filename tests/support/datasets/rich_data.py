"""An RLDS data set with every kind of field."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from embodio.datasets.episodes.features import DepthFeature, EpisodeFeatures, ImageFeature, TensorFeature, TextFeature
from embodio.datasets.rlds.writer import RLDSWriter


def write_rich(folder: Path) -> Path:
    """Fields of every kind, NaN among them."""
    features = EpisodeFeatures(
        {
            "observation/image": ImageFeature(None, None, 3, "png"),
            "observation/grey": ImageFeature(6, 8, 1, "png"),
            "observation/state": TensorFeature("float64", (3,)),
            "observation/segm": TensorFeature("uint8", (4, 5), "zlib"),
            "observation/millimetres": TensorFeature("uint16", (4, 5, 1), "png"),
            "observation/depth": DepthFeature(3, 4),
            "observation/deep/force": TensorFeature("float32", (2, 2, 2)),
            "action": TensorFeature("float32", (2,)),
            "reward": TensorFeature("float32"),
            "is_terminal": TensorFeature("bool"),
            "counter": TensorFeature("int32", (1,)),
            "note": TextFeature(),
            "language_instruction": TextFeature(),
        },
        {
            "episode_metadata/success": TensorFeature("bool"),
            "episode_metadata/seed": TensorFeature("int64"),
            "episode_metadata/who": TextFeature(),
            "episode_metadata/goal": ImageFeature(4, 4, 3, "png"),
            "episode_metadata/gains": TensorFeature("float32", (2, 3)),
        },
    )
    generator = np.random.default_rng(3)
    with RLDSWriter(folder, "rich", features) as writer:
        for number in range(3):
            steps = [
                {
                    "observation/image": np.full((16, 20, 3), 30 * number + 5 * step, np.uint8),
                    "observation/grey": generator.integers(0, 256, (6, 8, 1), np.uint8),
                    "observation/state": generator.normal(size=3),
                    "observation/millimetres": generator.integers(0, 65536, (4, 5, 1), np.uint16),
                    "observation/depth": generator.normal(size=(3, 4, 1)).astype(np.float32),
                    "observation/segm": generator.integers(0, 9, (4, 5), np.uint8),
                    "observation/deep/force": generator.normal(size=(2, 2, 2)).astype(np.float32),
                    "action": np.array([np.nan, 1] if step == 1 else [0, 1], np.float32),
                    "reward": np.float32(step),
                    "is_terminal": step == 3,
                    "counter": np.array([step], np.int32),
                    "note": f"é {step}",
                    "language_instruction": "push" if step < 2 else "then stop",
                }
                for step in range(4)
            ]
            episode = {"success": number == 1, "seed": number, "who": "ü"}
            episode |= {"goal": generator.integers(0, 256, (4, 4, 3), np.uint8), "gains": np.ones((2, 3), np.float32)}
            writer.add(steps, {f"episode_metadata/{name}": value for name, value in episode.items()})
    return folder

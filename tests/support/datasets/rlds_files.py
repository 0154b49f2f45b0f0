"""Small RLDS data sets with known values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from embodio.datasets import RLDSWriter
from embodio.datasets.rlds import EpisodeFeatures, ImageFeature, TensorFeature, TextFeature

FEATURES = EpisodeFeatures(
    steps={
        "observation/camera": ImageFeature(4, 6, 3, "png"),
        "observation/depth/values": TensorFeature("float32", (2, 3)),
        "action": TensorFeature("float32", (2,)),
        "count": TensorFeature("int64"),
        "is_last": TensorFeature("bool"),
        "language_instruction": TextFeature(),
    },
    episode={"episode_metadata/seed": TensorFeature("int64"), "episode_metadata/place": TextFeature()},
)


def make_episode(seed: int, length: int, text: str = "lift") -> tuple[list[dict[str, Any]], dict[str, Any]]:
    random = np.random.default_rng(seed)
    steps = [
        {
            "observation/camera": random.integers(0, 256, (4, 6, 3), dtype=np.uint8),
            "observation/depth/values": random.standard_normal((2, 3), dtype=np.float32),
            "action": random.standard_normal(2, dtype=np.float32),
            "count": step - 1,
            "is_last": step == length - 1,
            "language_instruction": text,
        }
        for step in range(length)
    ]
    return steps, {"episode_metadata/seed": seed, "episode_metadata/place": text}


def write(folder: Path, lengths: list[int], shard_bytes: int = 1 << 20) -> Path:
    with RLDSWriter(folder, "toy", FEATURES, shard_bytes=shard_bytes) as writer:
        for seed, length in enumerate(lengths):
            writer.add(*make_episode(seed, length))
    return folder

"""Writes a tiny RLDS data set with tfds itself; run as a program, since it needs TensorFlow."""

from __future__ import annotations

import os
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="")

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds


class Tiny(tfds.core.GeneratorBasedBuilder):
    """Three episodes, with features that published data sets have and ours do not."""

    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = Path(__file__).parent

    def _info(self) -> tfds.core.DatasetInfo:
        features = tfds.features
        observation = {"camera": features.Image(shape=(4, 5, 3)), "note": features.Tensor(shape=(), dtype=np.str_)}
        step = {
            "observation": features.FeaturesDict(observation),
            "action": features.Tensor(shape=(2,), dtype=np.float64),
            "label": features.ClassLabel(num_classes=3),
            "language_instruction": features.Text(),
            "packed": features.Tensor(shape=(3,), dtype=np.float64, encoding=features.Encoding.ZLIB),
            "raw": features.Tensor(shape=(), dtype=np.bool_, encoding=features.Encoding.BYTES),
            "depth": features.Image(shape=(3, 2, 1), dtype=np.float32),
        }
        metadata = features.FeaturesDict({"seed": features.Scalar(np.int32)})
        episode = features.FeaturesDict({"steps": features.Dataset(step), "episode_metadata": metadata})
        return tfds.core.DatasetInfo(builder=self, features=episode)

    def _split_generators(self, dl_manager: object) -> dict[str, Iterator[tuple[int, dict]]]:
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict]]:
        for seed in range(3):
            steps = [
                {
                    "observation": {"camera": np.full((4, 5, 3), seed * 10 + step, np.uint8), "note": "n"},
                    "action": np.array([seed, step], dtype=np.float64),
                    "label": 1,
                    "language_instruction": f"go to {seed} é",
                    "packed": np.array([seed, step, 0.1]),
                    "raw": step == 1,
                    "depth": np.full((3, 2, 1), seed + step / 3, np.float32),
                }
                for step in range(seed + 2)
            ]
            yield seed, {"steps": steps, "episode_metadata": {"seed": seed}}


if __name__ == "__main__":
    Tiny(data_dir=sys.argv[1]).download_and_prepare()

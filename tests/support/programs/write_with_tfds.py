"""Writes a tiny RLDS data set with tfds itself, and what tfds reads of it; run as a program: it needs TensorFlow."""

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
            "millimetres": features.Image(shape=(3, 2, 1), dtype=np.uint16),
            "bytes": features.Tensor(shape=(2, 3), dtype=np.uint8),
            "half": features.Scalar(np.float16),
            "box": features.BBoxFeature(),
            "deep": {"er": {"flag": features.Scalar(np.bool_)}},
            "sequences": {
                "any": features.Sequence({"number": np.int32, "pair": features.Tensor(shape=(2,), dtype=np.float32)}),
                "texts": features.Sequence(features.Text()),
                "words": features.Tensor(shape=(2,), dtype=np.str_),
                "video": features.Video(shape=(None, 4, 5, 3)),
            },
        }
        metadata = features.FeaturesDict(
            {"seed": features.Scalar(np.int32), "names": features.Sequence(features.Text())}
        )
        episode = features.FeaturesDict({"steps": features.Dataset(step), "episode_metadata": metadata})
        return tfds.core.DatasetInfo(builder=self, features=episode)

    def _split_generators(self, dl_manager: object) -> dict[str, Iterator[tuple[int, dict]]]:
        return {"train": self._generate_examples(range(3)), "test": self._generate_examples(range(5, 6))}

    def _generate_examples(self, seeds: range) -> Iterator[tuple[int, dict]]:
        for seed in seeds:
            steps = [
                {
                    "observation": {"camera": np.full((4, 5, 3), seed * 10 + step, np.uint8), "note": "n"},
                    "action": np.array([seed, step], dtype=np.float64),
                    "label": 1,
                    "language_instruction": f"go to {seed} é",
                    "packed": np.array([seed, step, 0.1]),
                    "raw": step == 1,
                    "depth": np.full((3, 2, 1), seed + step / 3, np.float32),
                    "millimetres": np.full((3, 2, 1), 1000 * seed + step, np.uint16),
                    "bytes": np.full((2, 3), 200 + step, np.uint8),
                    "half": np.float16(step / 4),
                    "box": tfds.features.BBox(0.25, 0.5, 0.75, 1.0),
                    "deep": {"er": {"flag": step % 2 == 0}},
                    "sequences": {
                        "any": {"number": [step] * step, "pair": [[seed, step]] * step},
                        "texts": ["é"] * (step % 3),
                        "words": np.array([f"a{step}", "b"], dtype=object),
                        "video": np.full((2, 4, 5, 3), 10 * step, np.uint8),
                    },
                }
                for step in range(seed + 2)
            ]
            yield seed, {"steps": steps, "episode_metadata": {"seed": seed, "names": ["x"] * seed}}


def flat(tree: dict, prefix: str) -> Iterator[tuple[str, np.ndarray]]:
    """Path -> value of nested dicts."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}/")
        else:
            value = value.to_list() if hasattr(value, "to_list") else value
            yield f"{prefix}{name}", np.array([*value] if isinstance(value, list) else value)


def main(folder: str) -> None:
    """Writes it in both formats of tfds; what it reads is the same."""
    for file_format in ("array_record", "tfrecord"):
        builder = Tiny(data_dir=f"{folder}/{file_format}", file_format=file_format)
        builder.download_and_prepare()
    values: dict[str, np.ndarray] = {}
    for split in ("train", "test"):
        for number, episode in enumerate(tfds.as_numpy(builder.as_dataset(split=split, shuffle_files=False))):
            for step, fields in enumerate(episode["steps"]):
                values |= {f"{split}|{number}|{step}|{path}": value for path, value in flat(fields, "")}
    np.savez(Path(folder) / "read.npz", **values)


if __name__ == "__main__":
    main(sys.argv[1])

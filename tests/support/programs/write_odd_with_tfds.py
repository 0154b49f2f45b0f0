"""Writes with tfds what is not read without it: another file format, fields of odd kinds, examples without steps.

Run as a program, since it needs TensorFlow.
"""

from __future__ import annotations

import os
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="")

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

features = tfds.features


class Odd(tfds.core.GeneratorBasedBuilder):
    """Two episodes with fields that are not read without tfds."""

    VERSION = tfds.core.Version("1.2.0")
    pkg_dir_path = Path(__file__).parent

    def _info(self) -> tfds.core.DatasetInfo:
        step = {
            "action": features.Tensor(shape=(2,), dtype=np.float32),
            "rgba": features.Image(shape=(4, 5, 4), dtype=np.uint8),
            "depths": features.Sequence(features.Image(shape=(2, 3, 1), dtype=np.uint16)),
            "ragged": features.Sequence(features.Sequence(np.int64)),
            "text": features.Text(),
        }
        episode = {"steps": features.Dataset(step), "sound": features.Audio(shape=(None, 1)), "where": {"x": np.int32}}
        return tfds.core.DatasetInfo(builder=self, features=features.FeaturesDict(episode))

    def _split_generators(self, dl_manager: object) -> dict[str, Iterator[tuple[int, dict]]]:
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict]]:
        for number in range(2):
            steps = [
                {
                    "action": np.array([number, step], np.float32),
                    "rgba": np.full((4, 5, 4), 10 * number + step, np.uint8),
                    "depths": [np.full((2, 3, 1), 1000 + step, np.uint16)] * step,
                    "ragged": [[step], []],
                    "text": "é",
                }
                for step in range(3)
            ]
            yield number, {"steps": steps, "sound": np.arange(5 + number)[:, None], "where": {"x": number}}


class Pictures(tfds.core.GeneratorBasedBuilder):
    """Examples that are not episodes."""

    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = Path(__file__).parent

    def _info(self) -> tfds.core.DatasetInfo:
        fields = {
            "image": features.Image(shape=(None, None, 3)),
            "label": features.ClassLabel(num_classes=3),
            "boxes": features.Sequence({"box": features.BBoxFeature(), "name": features.Text()}),
        }
        return tfds.core.DatasetInfo(builder=self, features=features.FeaturesDict(fields))

    def _split_generators(self, dl_manager: object) -> dict[str, Iterator[tuple[int, dict]]]:
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict]]:
        for number in range(3):
            box = {"box": features.BBox(0.0, 0.25, 0.5, 1.0), "name": "cat"}
            yield (
                number,
                {"image": np.full((4, 5 + number, 3), number, np.uint8), "label": number, "boxes": [box] * number},
            )


def main(folder: str) -> None:
    """Writes both."""
    Odd(data_dir=folder).download_and_prepare()
    Pictures(data_dir=folder, file_format="array_record").download_and_prepare()


if __name__ == "__main__":
    main(sys.argv[1])

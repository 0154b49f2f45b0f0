"""Writes pictures with captions, classes and sounds with tfds, and what tfds reads; a program that needs TensorFlow."""

from __future__ import annotations

import os

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="")

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

FOLDER = Path(sys.argv[1])
COUNT = 7


class Tiny(tfds.core.GeneratorBasedBuilder):  # type: ignore[misc]
    """Pictures of one colour."""

    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = Path(__file__).parent

    def _info(self) -> Any:
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "captions": tfds.features.Sequence({"text": tfds.features.Text(), "id": np.int64}),
                    "label": tfds.features.ClassLabel(names=["cat", "dog"]),
                    "audio": tfds.features.Audio(sample_rate=8000),
                    "box": tfds.features.BBoxFeature(),
                    "nested": {"score": np.float32},
                }
            ),
        )

    def _split_generators(self, manager: Any) -> Any:
        return {"train": self._generate_examples(0), "validation": self._generate_examples(100)}

    def _generate_examples(self, first: int) -> Any:
        for number in range(first, first + COUNT):
            yield (
                number,
                {
                    "image": np.full((16, 20, 3), number, np.uint8),
                    "captions": [{"text": f"picture {number}", "id": number}, {"text": "a square", "id": 0}],
                    "label": number % 2,
                    "audio": np.full(800, 100 * number, np.int64),
                    "box": tfds.features.BBox(ymin=0.0, xmin=0.25, ymax=0.5, xmax=1.0),
                    "nested": {"score": number / 4},
                },
            )


for file_format in ("tfrecord", "array_record"):
    builder = Tiny(data_dir=str(FOLDER / file_format), file_format=file_format)
    builder.download_and_prepare()
    read = {}
    for split in ("train", "validation"):
        examples = (
            builder.as_dataset(split=split).as_numpy_iterator()
            if file_format == "tfrecord"
            else iter(builder.as_data_source(split=split))
        )
        read[split] = [int(example["image"][0, 0, 0]) for example in examples]
    (FOLDER / f"{file_format}.json").write_text(json.dumps(read))

"""Compares a data set as tfds and rlds read it with what our reader says; run as a program, since it needs TensorFlow.

Prints one line of JSON: episodes, steps, and the largest and the mean difference of pixels under TensorFlow's default
(fast) JPEG decoder. Every other value must be equal, as must pixels under its accurate decoder.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="")

import numpy as np
import rlds
import tensorflow as tf
import tensorflow_datasets as tfds

from embodio.datasets import RLDSReader


def compare(ours: object, theirs: object, path: str, differences: list[np.ndarray]) -> None:
    """Raises AssertionError where two values differ; pixel differences are gathered."""
    if isinstance(theirs, dict):
        assert isinstance(ours, dict) and set(ours) == set(theirs), (path, ours, theirs)
        for name, value in theirs.items():
            compare(ours[name], value, f"{path}/{name}", differences)
    elif isinstance(ours, str):
        assert ours.encode() == theirs, path
    elif np.ndim(ours) == 3 and ours.dtype == np.uint8:
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype, path
        differences.append(np.abs(ours.astype(int) - theirs))
    else:
        equal = np.array_equal(ours, theirs, equal_nan=np.asarray(ours).dtype.kind == "f")
        assert equal and np.asarray(ours).dtype == np.asarray(theirs).dtype, path


def main(folder: str) -> None:
    """Compares everything."""
    builder = tfds.builder_from_directory(folder)
    reader = RLDSReader(folder)
    differences: list[np.ndarray] = []
    steps = 0
    dataset = builder.as_dataset(split="train", shuffle_files=False)
    for ours, theirs in zip(reader, tfds.as_numpy(dataset), strict=True):
        for name, value in theirs["episode_metadata"].items():
            if f"episode_metadata/{name}" in reader.features.sequences:
                found = ours.sequence(f"episode_metadata/{name}")
                for one, other in zip(found, list(value), strict=True):
                    assert np.array_equal(one.encode() if isinstance(one, str) else one, other), name
                continue
            expected = value.decode() if isinstance(value, bytes) else value
            assert np.array_equal(ours.metadata[name], expected), name
        for our_step, their_step in zip(ours.steps(), theirs["steps"], strict=True):
            compare(our_step, their_step, "step", differences)
            steps += 1

    names = [path.removeprefix("observation/") for path in reader.features.steps if path.startswith("observation/")]
    cameras = reader.episode(0).cameras
    assert set(cameras) <= set(names)
    for episode in reader:
        for camera in (name for name in cameras if reader.features.steps[f"observation/{name}"].encoding == "jpeg"):
            for step in range(len(episode)):
                exact = tf.io.decode_jpeg(episode.encoded_frame(camera, step), dct_method="INTEGER_ACCURATE")
                assert np.array_equal(exact.numpy(), episode.frame(camera, step)), (camera, step)

    lengths = [int(rlds.transformations.episode_length(episode["steps"])) for episode in dataset]
    assert lengths == [len(episode) for episode in reader]
    if not reader.features.sequences:  # pieces of different lengths are not a batch
        pairs = dataset.take(1).flat_map(lambda episode: rlds.transformations.batch(episode["steps"], size=2, shift=1))
        assert sum(1 for _ in pairs) >= lengths[0] - 1
    with tempfile.TemporaryDirectory() as scratch:
        builder.info.features.save_config(scratch)
        said = json.loads((Path(scratch) / "features.json").read_text())
    assert said == json.loads((Path(folder) / "features.json").read_text())
    assert builder.info.splits["train"].num_examples == len(reader)
    pixels = np.concatenate([difference.ravel() for difference in differences])
    summary = {"episodes": len(reader), "steps": steps, "largest": int(pixels.max()), "mean": float(pixels.mean())}
    sys.stdout.write(json.dumps(summary) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])

"""Arrays and depth images that lie in a record as bytes, and text that is none."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from embodio.datasets.codecs.image_codec import decode_depth, encode_depth
from embodio.datasets.episodes.feature_json import load_features
from embodio.datasets.episodes.features import DepthFeature, EpisodeFeatures, TensorFeature, TextFeature
from embodio.datasets.errors import FeatureError
from embodio.datasets.rlds.episode import Episode
from embodio.datasets.rlds.example_proto import encode_example
from embodio.datasets.rlds.tensor_codec import decode_tensor
from embodio.datasets.rlds.writer import RLDSWriter, encode_episode

FEATURES = EpisodeFeatures(
    {
        "action": TensorFeature("float64", (3,), "zlib"),
        "mask": TensorFeature("bool", (), "bytes"),
        "observation/depth": DepthFeature(4, 5),
    },
    {"goal": TensorFeature("float32", (2,), "zlib"), "episode_metadata/depth": DepthFeature(2, 2)},
)


def test_round_trip_is_exact(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    steps = [
        {
            "action": generator.normal(size=3),
            "mask": bool(index % 2),
            "observation/depth": generator.normal(size=(4, 5, 1)).astype(np.float32),
        }
        for index in range(4)
    ]
    far = np.full((2, 2, 1), np.inf, np.float32)
    record = encode_episode(FEATURES, steps, {"goal": np.float32([1, 2]), "episode_metadata/depth": far})
    FEATURES.save(tmp_path)
    episode = Episode(record, load_features(tmp_path))
    assert episode.features == FEATURES
    assert len(episode) == 4
    assert np.array_equal(episode.array("action"), [step["action"] for step in steps])
    assert episode.array("action").dtype == np.float64
    assert episode.array("mask").tolist() == [False, True, False, True]
    assert np.array_equal(episode.array("depth"), [step["observation/depth"] for step in steps])
    assert np.array_equal(episode.metadata["depth"], far)
    assert not episode.cameras, "depth is not a camera image"
    assert np.array_equal(list(episode.steps())[2]["observation"]["depth"], steps[2]["observation/depth"])


@settings(max_examples=30)
@given(hnp.arrays(np.float32, (3, 2, 1), elements=st.floats(width=32, allow_nan=True)))
def test_depth_keeps_every_bit(image: np.ndarray) -> None:
    assert decode_depth(encode_depth(image), 3, 2).tobytes() == image.tobytes()


@settings(max_examples=50)
@given(st.binary(max_size=40))
def test_damaged_bytes_are_named(data: bytes) -> None:
    with pytest.raises(FeatureError, match="action: "):
        decode_tensor("action", FEATURES.steps["action"], data)  # type: ignore[arg-type]


def test_a_bomb_does_not_fill_the_memory() -> None:
    bomb = zlib.compress(bytes(50_000_000))
    with pytest.raises(FeatureError, match="25 bytes where 24 were declared"):
        decode_tensor("action", FEATURES.steps["action"], bomb)  # type: ignore[arg-type]


def test_text_that_is_not_utf8_is_named() -> None:
    features = EpisodeFeatures({"language_instruction": TextFeature()}, {"note": TextFeature()})
    episode = Episode(encode_example({"steps/language_instruction": [b"ok", b"\xff\xfe"], "note": [b"ok"]}), features)
    assert episode.text("language_instruction", 0) == "ok"
    with pytest.raises(FeatureError, match="language_instruction: 2 bytes that are not UTF-8"):
        episode.text("language_instruction", 1)


def test_writer_refuses_depth_of_the_wrong_shape(tmp_path: Path) -> None:
    features = EpisodeFeatures({"depth": DepthFeature(2, 2)}, {})
    with pytest.raises(FeatureError, match="depth: shape"), RLDSWriter(tmp_path, "toy", features) as writer:
        writer.add([{"depth": np.zeros((2, 3, 1), np.float32)}], {})

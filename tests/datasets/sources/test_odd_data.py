"""Odd but possible data: damaged PNGs, numbers that do not fit, YAML and pickles that stand for more than they hold."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from embodio.datasets.codecs.image_codec import (
    decode_depth,
    decode_grey16,
    decode_image,
    encode_depth,
    encode_grey16,
    encode_image,
)
from embodio.datasets.conversion.conversion import convert
from embodio.datasets.conversion.settings import ConversionSettings
from embodio.datasets.episodes.features import (
    EpisodeFeatures,
    ImageFeature,
    TensorFeature,
    TextFeature,
    as_declared,
    fits,
)
from embodio.datasets.errors import FeatureError
from embodio.datasets.files.restricted_pickle import read_pickle
from embodio.datasets.opening import open_source
from embodio.datasets.rlds.writer import RLDSWriter
from embodio.datasets.sources.description import Description, DescriptionError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
PNG = encode_image(PIXELS, "png")


@given(st.integers(8, len(PNG) - 1), st.integers(0, 7))
def test_a_png_with_a_flipped_bit_is_no_image(place: int, bit: int) -> None:
    damaged = PNG[:place] + bytes([PNG[place] ^ 1 << bit]) + PNG[place + 1 :]
    for channels in (1, 3):
        with pytest.raises(FeatureError):
            decode_image(damaged, channels)


@given(st.integers(0, len(PNG) - 1))
def test_a_png_that_is_cut_off_is_no_image(size: int) -> None:
    with pytest.raises(FeatureError):
        decode_image(PNG[:size])


def test_other_pngs_are_checked_too() -> None:
    grey, depth = np.arange(42, dtype=np.uint16).reshape(6, 7, 1) * 1500, PIXELS[..., :1].astype(np.float32)
    whole_grey, whole_depth = encode_grey16(grey), encode_depth(depth)
    assert np.array_equal(decode_grey16(whole_grey, 6, 7), grey)
    assert np.array_equal(decode_depth(whole_depth, 6, 7), depth)
    for decode, data in ((decode_grey16, whole_grey), (decode_depth, whole_depth)):
        with pytest.raises(FeatureError):
            decode(data[:60] + bytes([data[60] ^ 1]) + data[61:], 6, 7)
    assert np.array_equal(decode_image(whole_grey, 1), (grey >> 8).astype(np.uint8))  # as TensorFlow reads it
    assert np.array_equal(decode_image(whole_grey, 3), np.repeat(grey >> 8, 3, axis=2).astype(np.uint8))


def test_files_of_other_formats_are_no_images(tmp_path: Path) -> None:
    for name in ("a.bmp", "a.tiff", "a.webp"):
        Image.fromarray(PIXELS).save(tmp_path / name)
        with pytest.raises(FeatureError):
            decode_image((tmp_path / name).read_bytes())


WHOLE = st.sampled_from(["bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "int64", "uint64"])


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4), WHOLE)
def test_whole_numbers_fit_where_they_come_back(values: list[int], dtype: str) -> None:
    array = np.array(values, np.int64)
    with np.errstate(over="ignore"):
        assert fits(array, np.dtype(dtype)) == all(
            int(number) == value for number, value in zip(array.astype(dtype), values, strict=True)
        )


def test_numbers_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    for value, dtype in ((300, "int8"), (-1, "uint64"), (2, "bool"), (1e300, "float32"), (1.5, "int32")):
        features = EpisodeFeatures({"x": TensorFeature(dtype)}, {})
        with RLDSWriter(tmp_path / dtype, "x", features) as writer:
            with pytest.raises(FeatureError, match="x: "):
                writer.add([{"x": value}], {})
            writer.add([{"x": 1}], {})
    with pytest.raises(FeatureError, match=r"features\.json"):
        as_declared("x", np.array([300]), np.dtype("uint8"))
    with (
        pytest.raises(FeatureError, match="UTF-8"),
        RLDSWriter(tmp_path / "text", "x", EpisodeFeatures({"t": TextFeature()}, {})) as writer,
    ):
        writer.add([{"t": "\ud800"}], {})


def test_whole_numbers_of_an_episode_go_to_lerobot_and_back(tmp_path: Path) -> None:
    values: dict[str, Any] = {"uint8": 7, "int16": -5, "uint32": 2**32 - 1, "uint64": 2**64 - 1, "bool": True}
    episode = {f"episode_metadata/{dtype}": TensorFeature(dtype) for dtype in values}
    episode["episode_metadata/many"] = TensorFeature("uint64", (2,))
    steps = {"action": TensorFeature("float16", (2,)), "count": TensorFeature("uint64")}
    features = EpisodeFeatures({**steps, "language_instruction": TextFeature()}, episode)
    given_values = {f"episode_metadata/{dtype}": value for dtype, value in values.items()}
    given_values["episode_metadata/many"] = np.array([0, 2**64 - 1], np.uint64)
    with RLDSWriter(tmp_path / "first", "first", features) as writer:
        for number in range(2):
            row = {"action": np.array([number, 0.1], np.float16), "count": np.uint64(2**63 + number)}
            writer.add([row | {"language_instruction": "go"}], given_values)
    convert(open_source(tmp_path / "first"), tmp_path / "second", ConversionSettings("lerobot", fps=5))
    convert(open_source(tmp_path / "second"), tmp_path / "third")
    for name in ("first", "second", "third"):
        found = open_source(tmp_path / name)
        assert found.features == features
        for number in range(2):
            read = found.episode(number)
            assert read.array("count").tolist() == [2**63 + number]
            assert np.array_equal(read.array("action"), np.array([[number, 0.1]], np.float16))
            assert {path: read.value(path) for path in given_values if not path.endswith("many")} == {
                path: value for path, value in given_values.items() if not path.endswith("many")
            }
            assert read.value("episode_metadata/many").tolist() == [0, 2**64 - 1]


@pytest.mark.parametrize(
    "text",
    [
        "name: 2020-13-45",
        "name: !!int zz",
        "name: !!timestamp x",
        "name: " + "[" * 3000,
        "name: &a [x, x]\norigin: *a",
        "name: n\nkind: rlds\ninstruction: {text: go}\nsee: 5",
    ],
)
def test_yaml_that_is_none_is_an_error_with_a_name(text: str, tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text(text)
    with pytest.raises(DescriptionError, match=r"d\.yaml"):
        Description.load(tmp_path / "d.yaml")


def test_a_pickle_that_holds_the_same_list_many_times_is_read_once() -> None:
    nested: Any = [np.arange(3)]
    for _ in range(40):
        nested = [nested, nested]
    found = read_pickle(pickle.dumps(nested), Path("bomb.pkl"), ())
    assert found[0] is found[1]


def test_an_image_of_another_size_than_declared_is_refused(tmp_path: Path) -> None:
    features = EpisodeFeatures({"observation/front": ImageFeature(6, 8, 3, "png")}, {})
    with RLDSWriter(tmp_path / "a", "a", features) as writer:
        writer.add([{"observation/front": PNG}], {})  # files that are compressed already are taken as they are
    with pytest.raises(FeatureError, match=r"shape \(6, 7, 3\) at step 0"):
        open_source(tmp_path / "a").episode(0).frame("front", 0)

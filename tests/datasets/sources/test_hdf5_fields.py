"""Odd fields in HDF5 are read where that is possible, else left unread with a reason; the file opens all the same."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from embodio.datasets.conversion.inspect_source import propose
from embodio.datasets.errors import CorruptRecordError, FeatureError
from embodio.datasets.opening import open_source
from embodio.datasets.sources.hdf5.images import array_pixels
from tests.support.datasets.hdf5_writers import frames, robomimic


def compressed(kind: str) -> Callable[[int], list[bytes]]:
    def files(length: int) -> list[bytes]:
        found = []
        for frame in frames(length):
            buffer = io.BytesIO()
            Image.fromarray(frame).save(buffer, kind, quality=95)
            found.append(buffer.getvalue())
        return found

    return files


def rows(group: Any, name: str, files: list[bytes]) -> None:
    values = group.create_dataset(name, (len(files),), h5py.vlen_dtype(np.uint8))
    for number, data in enumerate(files):
        values[number] = np.frombuffer(data, np.uint8)


def padded(files: list[bytes]) -> np.ndarray:
    longest = max(map(len, files)) + 9
    return np.stack([np.frombuffer(data.ljust(longest, b"\0"), np.uint8) for data in files])


def alpha(images: np.ndarray) -> np.ndarray:
    return np.concatenate([images, np.full((*images.shape[:3], 1), 255, np.uint8)], axis=3)


IMAGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "alpha channel": alpha,
    "channels first": lambda images: np.moveaxis(images, 3, 1),
    "alpha, channels first, 0 to 1": lambda images: np.moveaxis(alpha(images), 3, 1).astype(np.float32) / 255,
    "0 to 1": lambda images: images / 255,
    "-1 to 1": lambda images: (images / 127.5 - 1).astype(np.float32),
    "float, 0 to 255": lambda images: images.astype(np.float64),
    "half precision": lambda images: (images / 255).astype(np.float16),
    "int64": lambda images: images.astype(np.int64),
    "uint16": lambda images: images.astype(np.uint16) * 257,
    "big-endian": lambda images: (images / 255).astype(">f4"),
}


@pytest.mark.parametrize("change", IMAGES.values(), ids=IMAGES)
def test_images_in_other_arrays_become_cameras(change: Any, tmp_path: Path) -> None:
    def edit(group: Any, number: int, length: int) -> None:
        group["obs/front_image"] = change(frames(length))

    path = robomimic(tmp_path / "x.hdf5", edit=edit, camera=False)
    source = open_source(path)
    assert source.episode(1).cameras == ("front_image",)
    assert np.array_equal(source.episode(1).frame("front_image", 5), frames(6)[5])
    assert (
        "# Images: observation/front_image: " in propose(source, path)
        or change is IMAGES["float, 0 to 255"]
        or change is IMAGES["int64"]
    )


@pytest.mark.parametrize("store", ["rows", "padded", "strings", "opaque"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_images_in_bytes_become_cameras(store: str, kind: str, tmp_path: Path) -> None:
    def edit(group: Any, number: int, length: int) -> None:
        files = compressed(kind)(length)
        if store == "rows":
            rows(group, "obs/front_image", files)
        elif store == "padded":
            group["obs/front_image"] = padded(files)
        elif store == "strings":
            group["obs/front_image"] = np.array(files)
        else:
            group["obs/front_image"] = np.array([data.ljust(6000, b"\0") for data in files]).astype("V6000")

    source = open_source(robomimic(tmp_path / "x.hdf5", edit=edit, camera=False))
    difference = source.episode(1).frame("front_image", 5).astype(int) - frames(6)[5]
    assert np.abs(difference).mean() < (1.5 if kind == "JPEG" else 1e-9)


def test_cameras_that_are_stacked_and_images_without_channels(tmp_path: Path) -> None:
    def edit(group: Any, number: int, length: int) -> None:
        group["obs/images"] = np.stack([frames(length), 255 - frames(length)], axis=1)
        group["obs/grey_image"] = frames(length)[..., 1]
        group["obs/segmentation"] = frames(length)[..., 1]

    episode = open_source(robomimic(tmp_path / "x.hdf5", edit=edit, camera=False)).episode(0)
    assert episode.cameras == ("grey_image", "images_0", "images_1")
    assert np.array_equal(episode.frame("images_1", 3), 255 - frames(4)[3])
    assert np.array_equal(episode.frame("grey_image", 3), frames(4)[3][..., 1:2])
    assert episode.array("segmentation").shape == (6, 32, 40)


def test_images_of_several_sizes(tmp_path: Path) -> None:
    def edit(group: Any, number: int, length: int) -> None:
        group["obs/front_image"] = frames(length, 32 + number, 40)

    source = open_source(robomimic(tmp_path / "x.hdf5", edit=edit, camera=False))
    assert [source.episode(number).frame("front_image", 0).shape[0] for number in range(2)] == [32, 33]


def test_numbers_out_of_the_range_that_was_seen(tmp_path: Path) -> None:
    def edit(group: Any, number: int, length: int) -> None:
        group["obs/front_image"] = frames(length) / 255
        group["obs/front_image"][1] = 200.0

    episode = open_source(robomimic(tmp_path / "x.hdf5", edit=edit, camera=False)).episode(0)
    with pytest.raises(FeatureError, match=r"numbers from 200\.0 to 200\.0, where 0 to 1 was expected"):
        episode.frame("front_image", 1)


def link_to_nothing(group: Any, length: int) -> None:
    group["obs/odd"] = h5py.SoftLink("/nowhere")


ODD: dict[str, tuple[Callable[[Any, int], Any], str]] = {
    "T + 1 values": (
        lambda g, n: g.create_dataset("obs/odd", data=np.zeros((n + 1, 6))),
        "7 values in an episode of 6",
    ),
    "no text": (lambda g, n: g.create_dataset("obs/odd", data=np.array([b"\xff\xfe"] * n)), "neither text nor"),
    "WebP": (lambda g, n: rows(g, "obs/odd", compressed("WEBP")(n)), "WebP images; JPEG and PNG are read"),
    "records": (
        lambda g, n: g.create_dataset("obs/odd", data=np.zeros(n, [("a", "f4"), ("b", "i4")])),
        "records of several",
    ),
    "complex": (lambda g, n: g.create_dataset("obs/odd", data=np.zeros(n, np.complex64)), "complex64"),
    "rows of any length": (
        lambda g, n: g.create_dataset("obs/odd", (n,), h5py.vlen_dtype(np.float32)),
        "neither text nor",
    ),
    "empty": (lambda g, n: g.create_dataset("obs/odd", data=h5py.Empty("f4")), "empty"),
    "a link to nothing": (link_to_nothing, "a link to nothing"),
    "of one value": (lambda g, n: g.create_dataset("obs/odd", data=np.zeros((1, 3))), "1 values in an episode"),
}


@pytest.mark.parametrize("kind", ODD)
def test_one_odd_field_is_left_unread(kind: str, tmp_path: Path) -> None:
    add, reason = ODD[kind]
    path = robomimic(tmp_path / "x.hdf5", edit=lambda group, number, length: add(group, length))
    source = open_source(path)
    assert reason in source.features.unread["steps/observation/odd"]
    with pytest.raises(FeatureError, match="observation/odd"):
        source.episode(0).array("observation/odd")
    assert source.episode(0).cameras == ("agentview_image",) and source.episode(0).array("action").shape == (6, 7)
    assert "observation/odd" not in propose(source, path)


def test_a_field_of_few_episodes_is_left_unread_and_one_that_few_lack_is_read(tmp_path: Path) -> None:
    def edit(group: Any, number: int, length: int) -> None:
        if number == 2:
            group["obs/rare"] = np.zeros((length, 2))
        else:
            group["obs/usual"] = np.zeros((length, 2))

    source = open_source(robomimic(tmp_path / "x.hdf5", (5, 5, 5, 5), edit))
    assert "only 1 of 4 episodes" in source.features.unread["steps/observation/rare"]
    assert source.episode(0).array("usual").shape == (5, 2)
    with pytest.raises(CorruptRecordError, match="record 2: obs/usual cannot be read"):
        source.episode(2).array("usual")


def test_groups_that_link_to_themselves(tmp_path: Path) -> None:
    def edit(group: Any, number: int, length: int) -> None:
        group["obs/me"] = h5py.SoftLink(group.name)
        group["obs/datagen/pose"] = np.zeros((length, 4, 4))

    source = open_source(robomimic(tmp_path / "x.hdf5", edit=edit))
    assert set(source.episode(0).observation_keys) == {"agentview_image", "robot0_eef_pos", "datagen/pose"}


def test_depth_is_never_a_camera(tmp_path: Path) -> None:
    def edit(group: Any, number: int, length: int) -> None:
        group["obs/front_depth"] = np.full((length, 32, 40, 1), 0.5, np.float32)
        group["obs/depth_image"] = np.full((length, 32, 40), 900, np.uint16)
        buffer = io.BytesIO()
        Image.fromarray(np.full((32, 40), 900, np.uint16)).save(buffer, "PNG")
        rows(group, "obs/depth_png", [buffer.getvalue()] * length)

    source = open_source(robomimic(tmp_path / "x.hdf5", edit=edit))
    assert source.episode(0).cameras == ("agentview_image",)
    assert source.episode(0).array("depth_image").max() == 900
    assert "16 bits" in source.features.unread["steps/observation/depth_png"]


@given(
    image=hnp.arrays(np.uint8, st.tuples(st.integers(5, 9), st.integers(5, 9), st.sampled_from([3, 4]))),
    first=st.booleans(),
    kind=st.sampled_from(["uint8", "unit", "signed", "wide"]),
)
@settings(max_examples=60, deadline=None)
def test_any_image_in_any_array_comes_back(image: np.ndarray, first: bool, kind: str) -> None:
    image[0, 0, 0], image[1, 1, 0] = 255, 0  # so that the range can be told
    stored = {
        "uint8": image,
        "unit": image / 255,
        "signed": image / 127.5 - 1,
        "wide": image.astype(np.int32),
    }[kind]
    stored = np.moveaxis(stored, -1, 0) if first else stored
    pixels = array_pixels("observation/front_rgb", stored.shape, stored.dtype, [stored])
    assert pixels is not None and np.array_equal(pixels.image(stored), image[..., :3])


def test_flags_in_a_column_and_a_demonstration_without_anything(tmp_path: Path) -> None:
    path = robomimic(tmp_path / "x.hdf5", (3, 4), lambda g, number, n: g.create_dataset("dones", data=np.ones((n, 1))))
    with h5py.File(path, "a") as file:
        file.create_group("data/demo_00")
    source = open_source(path)
    assert len(source) == 3 and source.episode(0).array("is_terminal").tolist() == [True] * 3
    with pytest.raises(CorruptRecordError, match="the actions of demo_00 cannot be read"):
        source.episode_length(1)


def test_one_damaged_image_is_not_that_of_all(tmp_path: Path) -> None:
    def edit(group: Any, number: int, length: int) -> None:
        files = compressed("JPEG")(length)
        files[0], files[length // 2] = b"", files[0][:100]
        rows(group, "obs/front_image", files)

    episode = open_source(robomimic(tmp_path / "x.hdf5", edit=edit, camera=False)).episode(0)
    assert episode.frame("front_image", 5).shape == (32, 40, 3)
    for step in (0, 3):
        with pytest.raises(FeatureError):
            episode.frame("front_image", step)


def test_numbers_that_only_look_like_an_image(tmp_path: Path) -> None:
    def edit(group: Any, number: int, length: int) -> None:
        group["obs/normals"] = frames(length) / 255
        group["obs/surface"] = frames(length) / 100
        group["obs/field"] = frames(length) / 127.5 - 1

    assert open_source(robomimic(tmp_path / "x.hdf5", edit=edit)).episode(0).cameras == ("agentview_image",)

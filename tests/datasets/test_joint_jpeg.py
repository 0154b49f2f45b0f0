"""JPEGs decoded together: the pixels of each alone, and the same ones refused, whatever is damaged in them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from embodio.datasets.codecs import image_codec
from embodio.datasets.codecs.image_codec import decode_image_into, decode_images_into, encode_image
from embodio.datasets.codecs.joint_jpeg import runs
from embodio.datasets.errors import FeatureError

Shape = tuple[int, int, int]


def picture(generator: np.random.Generator, height: int, width: int) -> Image.Image:
    coarse = generator.integers(0, 256, (height // 5 + 1, width // 7 + 1, 3))
    smooth = np.kron(coarse, np.ones((5, 7, 1)))[:height, :width] + generator.normal(0, 9, (height, width, 3))
    return Image.fromarray(smooth.clip(0, 255).astype(np.uint8))


def jpeg(image: Image.Image, **how: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **how)
    return buffer.getvalue()


def one_by_one(frames: list[bytes], shape: Shape) -> tuple[np.ndarray, list[int]]:
    out, failed = np.zeros((len(frames), *shape), np.uint8), []
    for row, frame in enumerate(frames):
        try:
            decode_image_into(frame, out[row])
        except FeatureError:
            failed.append(row)
    return out, failed


def assert_the_same(frames: list[bytes], shape: Shape) -> list[int]:
    """Compares both ways; returns the rows that are refused."""
    out = np.zeros((len(frames), *shape), np.uint8)
    failed = decode_images_into(frames, out)
    expected, refused = one_by_one(frames, shape)
    assert failed == refused
    whole = np.setdiff1d(np.arange(len(frames)), failed)
    np.testing.assert_array_equal(out[whole], expected[whole])
    return failed


def joined(frames: list[bytes], shape: Shape) -> list[int]:
    """How many frames are decoded together each time."""
    return [len(rows) for rows, tall in runs(frames, shape) if tall is not None]


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 12),
    st.integers(1, 70),
    st.integers(1, 70),
    st.lists(st.sampled_from((30, 75, 95)), min_size=1, max_size=2),
    st.sampled_from((0, 1, 2)),
    st.booleans(),
    st.booleans(),
)
def test_together_is_as_alone(
    seed: int, count: int, height: int, width: int, qualities: list[int], colours: int, grey: bool, flat: bool
) -> None:
    generator = np.random.default_rng(seed)
    height = height * 8 if seed % 2 else height
    frames = []
    for quality in generator.choice(qualities, count):
        image = Image.new("RGB", (width, height), "red") if flat else picture(generator, height, width)
        frames.append(jpeg(image.convert("L") if grey else image, quality=int(quality), subsampling=colours))
    assert assert_the_same(frames, (height, width, 3)) == []
    if height % 8 == 0 and len(qualities) == 1 and count > 1 and colours < (1 if grey else 2):
        assert joined(frames, (height, width, 3)) == [count]


@given(st.integers(0, 2**32 - 1), st.sampled_from((0, 1, 2)))
@settings(max_examples=150)
def test_damage_is_found_in_the_same_frames(seed: int, colours: int) -> None:
    """Bits, bytes and ends that changed, behind the headers or in them."""
    generator = np.random.default_rng(seed)
    shape = (16, 24, 3)
    frames = [jpeg(picture(generator, 16, 24), quality=90, subsampling=colours) for _ in range(6)]
    for row in generator.choice(6, generator.integers(1, 4), replace=False):
        content = bytearray(frames[row])
        first = content.index(b"\xff\xda") if seed % 4 else 2
        for _ in range(generator.integers(1, 4)):
            place = int(generator.integers(min(first, len(content) - 1), len(content)))
            kind = generator.integers(5)
            if kind == 0:
                content[place] ^= 1 << int(generator.integers(8))
            elif kind == 1:
                content[place] = int(generator.choice([0, 0xFF, 0xD0, 0xD9]))
            elif kind == 2:
                del content[place : place + int(generator.integers(1, 9))]
            elif kind == 3:
                content[place:place] = generator.bytes(int(generator.integers(1, 9)))
            else:
                content = content[: max(3, place)] + (b"\xff\xd9" if generator.integers(2) else b"")
        frames[row] = bytes(content)
    assert_the_same(frames, shape)


def test_what_is_unusual_stays_alone() -> None:
    generator = np.random.default_rng(0)
    image, shape = picture(generator, 16, 24), (16, 24, 3)
    good = jpeg(image, subsampling=0)
    for how in ({"progressive": True}, {"restart_marker_blocks": 2}, {"subsampling": 2}):
        frames = [jpeg(picture(generator, 16, 24), **how) for _ in range(3)]
        assert joined(frames, shape) == [] and assert_the_same(frames, shape) == []
    inks = [jpeg(image.convert("CMYK"))] * 2
    assert joined(inks, shape) == [] and assert_the_same(inks, shape) == []
    pictures = [encode_image(np.asarray(image), "png")] * 2
    assert joined(pictures, shape) == [] and assert_the_same(pictures, shape) == []
    assert joined([good] * 2, (16, 32, 3)) == [] and assert_the_same([good] * 2, (16, 32, 3)) == [0, 1]
    assert joined([good] * 2, (16, 24, 1)) == [] and assert_the_same([good] * 2, (16, 24, 1)) == []
    assert joined([good, b"", good], shape) == [] and assert_the_same([good, b"", good, good], shape) == [1]
    for end in range(0, good.index(b"\xff\xda") + 20, 7):
        assert joined([good[:end]] * 2, shape) == []
    assert joined([good + b"tail"] * 2, shape) == [] and assert_the_same([good + b"tail"] * 2, shape) == []
    assert joined([], shape) == [] and assert_the_same([], shape) == []


def test_no_picture_is_taller_than_libjpeg_reads() -> None:
    frame = jpeg(picture(np.random.default_rng(0), 800, 8), subsampling=0)
    assert joined([frame] * 100, (800, 8, 3)) == [81, 19]
    assert assert_the_same([frame] * 83, (800, 8, 3)) == []
    wide = jpeg(Image.new("RGB", (4096, 1032)), subsampling=0)  # more blocks than a restart interval counts
    assert joined([wide] * 2, (1032, 4096, 3)) == []


def test_without_the_fast_decoder_nothing_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [jpeg(picture(np.random.default_rng(seed), 16, 24), subsampling=0) for seed in range(3)]
    expected = one_by_one(frames, (16, 24, 3))[0]
    monkeypatch.setattr(image_codec, "simplejpeg", None)
    out = np.zeros((3, 16, 24, 3), np.uint8)
    assert decode_images_into(frames, out) == []
    np.testing.assert_array_equal(out, expected)


def test_files_without_an_end_are_no_less_damaged_with_bytes_behind_them() -> None:
    """What is put behind a file for speed hides no damage: it is read as before, or refused as before."""
    good = jpeg(picture(np.random.default_rng(1), 24, 24), subsampling=2)
    assert image_codec.simplejpeg is not None
    for end in range(2, len(good)):
        with pytest.raises(ValueError, match=r"\w"):
            image_codec.simplejpeg.decode_jpeg(good[:end] + image_codec._TAIL, "RGB")

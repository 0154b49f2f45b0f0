"""Images, sounds and videos of every kind, and those that are damaged, hostile or beyond a limit."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from embodio.datasets.codecs.video import VideoWriter
from embodio.datasets.errors import CorruptRecordError, UnusableRecord
from embodio.datasets.records.decoding import (
    checked_pixels,
    checked_sound,
    decoded_image,
    decoded_sound,
    decoded_video,
    numbers_of_image,
)
from embodio.datasets.records.settings import Origin, RecordSettings

ORIGIN = Origin("a.tar", 5, "x.png at byte 512")
SETTINGS = RecordSettings()
GRADIENT = np.arange(40 * 60 * 3, dtype=np.uint8).reshape(40, 60, 3) // 2


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width: int, height: int) -> bytes:
    """The beginning of a PNG that claims a size, with next to no data."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def wav(samples: np.ndarray, rate: int = 16000, kind: str = "WAV", **options: Any) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "WEBP", "JPEG", "GIF"])
def test_formats_of_images(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
    pixels = decoded_image(encoded(Image.fromarray(GRADIENT), kind, **options), ORIGIN, SETTINGS)
    assert pixels.dtype == np.uint8 and pixels.shape == (40, 60, 3)
    if kind not in ("JPEG", "GIF"):
        assert np.array_equal(pixels, GRADIENT)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F", "YCbCr"])
def test_modes_of_images_become_rgb(mode: str) -> None:
    grey = Image.fromarray(np.full((16, 20), 200, np.uint8))
    if mode == "I;16":
        picture = Image.fromarray(np.full((16, 20), 200 * 257, np.uint16))
    elif mode == "F":
        picture = Image.fromarray(np.full((16, 20), 200 * 257, np.float32))
    else:
        picture = grey.convert("RGB").convert(mode, dither=Image.Dither.NONE)
    kind = {"CMYK": "JPEG", "F": "TIFF", "YCbCr": "JPEG"}.get(mode, "PNG")
    pixels = decoded_image(encoded(picture, kind), ORIGIN, SETTINGS)
    assert pixels.shape == (16, 20, 3) and pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - (255 if mode == "1" else 200)).max() <= 6


def test_transparent_parts_are_white_and_photos_are_turned_upright() -> None:
    clear = np.zeros((16, 20, 4), np.uint8)
    clear[:8, :, 3] = 255
    pixels = decoded_image(encoded(Image.fromarray(clear), "PNG"), ORIGIN, SETTINGS)
    assert (pixels[:8] == 0).all() and (pixels[8:] == 255).all()
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    turned = decoded_image(encoded(Image.fromarray(GRADIENT), "JPEG", quality=95, exif=exif), ORIGIN, SETTINGS)
    assert turned.shape == (60, 40, 3)
    assert np.abs(turned.astype(int) - np.rot90(GRADIENT, -1).astype(int)).mean() < 3


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "cannot be decoded"),
        (b"GIF89a", "cannot be decoded"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "cannot be decoded"),
        (png(300, 300), "cannot be decoded"),
    ],
)
def test_damaged_images_are_refused_with_their_place(data: bytes, problem: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(CorruptRecordError, match=rf"a\.tar, record 5: x\.png at byte 512: .*{problem}"):
            decoded_image(data, ORIGIN, SETTINGS)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (encoded(Image.new("RGB", (6, 3)), "PNG"), "6 x 3 pixels, less than smallest_side=8"),
        (encoded(Image.new("RGB", (900, 10)), "PNG"), "900 x 10 pixels, thinner than most_elongated=32"),
        (png(20_000, 20_000), "decompression bomb"),
        (png(2**31 - 1, 2**31 - 1), "decompression bomb"),
        (png(10_000, 10_000), "10000 x 10000 pixels, more than largest_image"),
    ],
)
def test_images_beyond_the_limits_are_intact_but_unusable(data: bytes, problem: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for decode in (decoded_image, numbers_of_image):
            with pytest.raises(UnusableRecord, match=rf"a\.tar, record 5: x\.png at byte 512: .*{problem}") as caught:
                decode(data, ORIGIN, SETTINGS)
            assert "Fetch" not in str(caught.value)


@settings(max_examples=60)
@given(st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "TIFF"]), st.data())
def test_damaged_images_are_refused_or_whole(kind: str, data: st.DataObject) -> None:
    content = bytearray(encoded(Image.fromarray(GRADIENT), kind))
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    del content[data.draw(st.integers(0, len(content))) :]
    try:
        pixels = decoded_image(bytes(content), ORIGIN, SETTINGS)
    except (CorruptRecordError, UnusableRecord):  # damage may also say another size
        return
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_truncated_images_are_noticed(kind: str) -> None:
    content = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)), kind)
    with pytest.raises(CorruptRecordError):
        decoded_image(content[: len(content) * 2 // 3], ORIGIN, SETTINGS)


@pytest.mark.parametrize(
    ("kind", "channels", "rate", "options"),
    [
        ("WAV", 1, 16000, {"subtype": "PCM_16"}),
        ("WAV", 8, 48000, {"subtype": "PCM_16"}),
        ("WAV", 2, 8000, {"subtype": "FLOAT"}),
        ("FLAC", 2, 44100, {}),
        ("OGG", 1, 22050, {}),
    ],
)
def test_sounds_become_mono_at_16_khz(kind: str, channels: int, rate: int, options: dict[str, str]) -> None:
    time = np.arange(rate) / rate
    tone = 0.5 * np.sin(2 * np.pi * 440 * time)
    sound = decoded_sound(wav(np.repeat(tone[:, None], channels, axis=1), rate, kind, **options), ORIGIN, SETTINGS)
    assert sound.dtype == np.float32 and sound.ndim == 1 and abs(len(sound) - 16000) < 1200
    middle = sound[4000:12000]
    assert 0.3 < float(np.sqrt(np.mean(middle**2))) < 0.75 and np.abs(sound).max() <= 1.0
    assert int(np.abs(np.fft.rfft(middle)).argmax()) == 220  # 440 Hz in half a second


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "cannot be decoded"),
        (b"RIFF\0\0\0\0WAVE", "cannot be decoded"),
        (wav(np.zeros(0)), "no samples"),
        (wav(np.zeros((0, 2)), kind="FLAC"), "cannot be decoded"),
        (wav(np.full(1600, np.nan), subtype="FLOAT"), "not numbers|cannot be decoded"),
    ],
)
def test_damaged_sounds_are_refused(data: bytes, problem: str) -> None:
    with pytest.raises(CorruptRecordError, match=rf"record 5: x\.png at byte 512: .*({problem})"):
        decoded_sound(data, ORIGIN, RecordSettings(longest_sound=1.5))


@pytest.mark.parametrize("data", [wav(np.zeros(32000)), wav(np.zeros(64000), kind="FLAC")])
def test_sounds_that_are_too_long_are_intact_but_unusable(data: bytes) -> None:
    with pytest.raises(UnusableRecord, match=r"record 5: x\.png at byte 512: a sound of more than longest_sound=1.5 s"):
        decoded_sound(data, ORIGIN, RecordSettings(longest_sound=1.5))


def test_sounds_and_images_as_numbers() -> None:
    loud = (np.ones((8000, 2)) * 16384).astype(np.int16)
    assert np.abs(checked_sound(loud, 8000, ORIGIN, SETTINGS)[4000:12000] - 0.5).max() < 0.01
    for samples, rate in (
        (np.zeros(0), 8000),
        (np.zeros(9), 0),
        (np.full(9, np.inf), 8000),
        (np.zeros((2, 900)), 8000),
    ):
        with pytest.raises((CorruptRecordError, UnusableRecord)):
            checked_sound(samples, rate, ORIGIN, SETTINGS)
    assert checked_pixels(np.zeros((9, 9), np.uint8), ORIGIN, SETTINGS).shape == (9, 9, 3)
    for pixels in (np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9, 3)), np.zeros((1, 9, 3), np.uint8)):
        with pytest.raises((CorruptRecordError, UnusableRecord)):
            checked_pixels(pixels, ORIGIN, SETTINGS)


def test_videos(tmp_path: Path) -> None:
    frames = np.repeat(np.arange(0, 240, 10, dtype=np.uint8), 48 * 64 * 3).reshape(24, 48, 64, 3)
    path = tmp_path / "a.mp4"
    with VideoWriter(path, fps=12) as writer:
        for frame in frames:
            writer.add(frame)
    data = path.read_bytes()
    video = decoded_video(data, ORIGIN, SETTINGS)
    assert video.frames.shape == (24, 48, 64, 3) and video.rate == 12 and video.sound is None
    assert np.abs(video.frames.astype(int) - frames).mean() < 4
    fewer = decoded_video(data, ORIGIN, RecordSettings(most_frames=10, video_side=32))
    assert fewer.frames.shape == (6, 24, 32, 3) and fewer.rate == 3
    assert np.abs(fewer.frames.mean(axis=(1, 2, 3)) - np.arange(0, 240, 40)).max() < 6
    for damaged, problem in ((data[:500], "cannot be"), (b"", "cannot be opened"), (wav(np.zeros(900)), "no pictures")):
        with pytest.raises((CorruptRecordError, UnusableRecord), match=problem):
            decoded_video(damaged, ORIGIN, SETTINGS)

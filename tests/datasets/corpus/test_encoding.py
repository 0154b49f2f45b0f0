"""Media of samples: what is written is read back, and equal content gives equal bytes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from embodio.datasets.codecs.image_codec import decode_image
from embodio.datasets.corpus.encoding import flac, jpeg, mp4, png
from embodio.datasets.corpus.pictures import on_white
from embodio.datasets.records.record import Video
from embodio.model.processing.sound_files import read_sound
from embodio.model.processing.video_files import read_video
from tests.support.datasets.debian_files import drawn


def smooth(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 2, columns * 2, rows + columns], axis=-1).astype(np.uint8)


def test_pictures() -> None:
    image = smooth(50, 70)
    assert jpeg(image) == jpeg(image.copy())
    assert np.abs(decode_image(jpeg(image)).astype(int) - image).mean() < 1.5
    assert np.array_equal(decode_image(png(image)), image)
    depth = np.arange(3500, dtype=np.uint16).reshape(50, 70) * 18
    assert np.array_equal(cv2.imdecode(np.frombuffer(png(depth), np.uint8), cv2.IMREAD_UNCHANGED), depth)


def test_sounds(tmp_path: Path) -> None:
    sound = (0.8 * np.sin(np.arange(9001) / 9)).astype(np.float32)
    (tmp_path / "a.flac").write_bytes(flac(sound))
    assert flac(sound) == flac(sound.copy())
    assert np.abs(read_sound(tmp_path / "a.flac") - sound).max() < 2 / 32767
    (tmp_path / "b.flac").write_bytes(flac(3 * sound))
    assert np.abs(read_sound(tmp_path / "b.flac")).max() <= 1


def test_videos_with_and_without_sound(tmp_path: Path) -> None:
    frames = np.stack([np.roll(smooth(64, 48), 3 * index, axis=1) for index in range(10)])
    sound = (0.5 * np.sin(2 * np.pi * 500 * np.arange(16000) / 16000)).astype(np.float32)
    video = Video(frames=frames, rate=10.0, sound=sound)
    (tmp_path / "a.mp4").write_bytes(mp4(video))
    (tmp_path / "b.mp4").write_bytes(mp4(Video(frames=frames, rate=10.0)))
    assert {mp4(video) for _ in range(20)} == {(tmp_path / "a.mp4").read_bytes()}
    for name in "ab":
        seen = np.stack(read_video(tmp_path / f"{name}.mp4", 10, trim=False).frames)
        assert seen.shape == frames.shape
        assert np.abs(seen.astype(int) - frames).mean() < 9  # the colours are coarser than the pixels
    heard = read_sound(tmp_path / "a.mp4")
    spectrum = np.abs(np.fft.rfft(heard[2000:14000]))
    assert abs(np.argmax(spectrum) * 16000 / 12000 - 500) < 5


def test_pictures_are_flattened_on_white_and_made_small(tmp_path: Path) -> None:
    small = on_white(drawn(tmp_path / "small.png", (40, 30)), 256)
    large = on_white(drawn(tmp_path / "large.png", (800, 400)), 256)
    assert small is not None and small.shape == (30, 40, 3)
    assert large is not None and large.shape == (128, 256, 3)
    for image in (small, large):
        assert image[0, 0].tolist() == [255, 255, 255]
        assert image[image.shape[0] // 2, image.shape[1] // 2].tolist() == [255, 0, 0]


def test_what_shows_nothing_is_left_out(tmp_path: Path) -> None:
    drawn(tmp_path / "clear.png", colour="white")
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "cut.png").write_bytes(drawn(tmp_path / "whole.png").read_bytes()[:60])
    for name in ("clear", "text", "cut", "absent"):
        assert on_white(tmp_path / f"{name}.png", 256) is None

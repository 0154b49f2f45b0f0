"""Random access to the frames of videos, checked against a decode of the whole file from its start."""

from __future__ import annotations

import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.model.processing.media_files import MediaError, open_media
from embodio.model.processing.video_stream import VideoStream
from tests.support.videos import CODECS, marked, number_of, ramp, write_video

COUNT = 40
TIMES = [number / 10 for number in range(COUNT)]


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def assert_equals_a_decode_of_the_whole_file(path: Path, order: list[int]) -> None:
    video, slow = VideoStream(path), decoded(path)
    assert len(video) == len(slow)
    for number in order:
        assert np.array_equal(video.picture(number), slow[number])
    video.close()


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("codec", CODECS)
def test_any_order_gives_the_pixels_of_a_decode_of_the_whole_file(tmp_path: Path, codec: str, suffix: str) -> None:
    if (codec, suffix) == ("ffv1", "mp4"):
        pytest.skip("mp4 does not hold ffv1")
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = write_video(tmp_path / f"a.{suffix}", range(COUNT), TIMES, codec=codec, pixels=pixels, options={"g": "7"})
    order = [*range(COUNT), *np.random.default_rng(0).permutation(COUNT).tolist(), *reversed(range(COUNT))]
    assert_equals_a_decode_of_the_whole_file(path, order)
    video = VideoStream(path)
    assert [number_of(video.picture(number)) for number in range(COUNT)] == list(range(COUNT))
    np.testing.assert_allclose(video.index.times, TIMES, atol=6e-4)  # matroska counts milliseconds


@pytest.mark.parametrize("suffix", ["avi", "ts", "gif", "mov", "webm"])
def test_other_containers(tmp_path: Path, suffix: str) -> None:
    """Packets of avi have no times: its frames follow each other at its rate."""
    codec, pixels = {"gif": ("gif", "rgb8"), "webm": ("libvpx-vp9", "yuv420p")}.get(suffix, ("libx264", "yuv420p"))
    unit = Fraction(1, 10) if suffix in ("avi", "gif") else Fraction(1, 12_800)
    path = write_video(tmp_path / f"a.{suffix}", range(COUNT), TIMES, codec=codec, pixels=pixels, unit=unit)
    assert_equals_a_decode_of_the_whole_file(path, [17, 3, 39, 0, 38, 1])
    assert VideoStream(path).index.interval == pytest.approx(0.1)


@settings(max_examples=25, deadline=None)
@given(
    gaps=st.lists(st.integers(1, 400), min_size=1, max_size=30),
    start=st.integers(0, 3000),
    group=st.integers(1, 12),
    backward=st.integers(0, 3),
    cut=st.integers(0, 5),
    picks=st.lists(st.integers(0, 10_000), min_size=1, max_size=12),
)
def test_any_times(gaps: list[int], start: int, group: int, backward: int, cut: int, picks: list[int]) -> None:
    """Any rhythm, odd starts, frames shown before ones that are coded earlier, a beginning that an edit list cuts."""
    moments = np.cumsum([start, *gaps])
    cut = min(cut, len(moments) - 1)
    moments = moments - moments[cut] if cut else moments
    with tempfile.TemporaryDirectory() as folder:
        path = write_video(
            Path(folder) / "a.mp4",
            range(len(moments)),
            [moment / 1000 for moment in moments],
            unit=Fraction(1, 1000),
            options={"g": str(group), "bf": str(backward)},
            container={"avoid_negative_ts": "disabled"},
        )
        with av.open(str(path)) as container:  # x264 may lose a frame a millisecond after another one
            kept = [number_of(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
        assert set(kept) <= set(range(cut, len(moments))) and len(kept) >= (len(moments) - cut) / 2
        video = VideoStream(path)
        assert np.allclose(video.index.times, [moments[number] / 1000 for number in kept], atol=1e-6)
        for pick in picks:
            assert number_of(video.picture(pick % len(kept))) == kept[pick % len(kept)]
        video.close()


@pytest.mark.parametrize(
    ("codec", "pixels", "suffix"),
    [("ffv1", "gray16le", "mkv"), ("libx265", "gray12le", "mp4"), ("ffv1", "gray10le", "mkv")],
)
def test_depth_keeps_all_its_bits_and_is_never_a_picture(tmp_path: Path, codec: str, pixels: str, suffix: str) -> None:
    options = {"x265-params": "lossless=1:log-level=none"} if codec == "libx265" else {}
    path = write_video(
        tmp_path / f"a.{suffix}", range(9), TIMES[:9], codec=codec, pixels=pixels, size=(48, 70), options=options
    )
    video, most = VideoStream(path), 2 ** int(pixels[4:6]) - 1
    assert video.depth_bits == int(pixels[4:6])
    for number in (4, 0, 8):
        depth = video.depth(number)
        assert depth.dtype == np.uint16 and np.array_equal(depth, ramp(number, 48, 70, most))
    with pytest.raises(MediaError, match=rf"{pixels}.*read it as depth"):
        video.picture(0)
    colours = VideoStream(write_video(tmp_path / "b.mp4", range(2), TIMES[:2]))
    with pytest.raises(MediaError, match=r"yuv420p; depth needs"):
        colours.depth(0)


def test_pictures_are_turned_upright_as_ffmpeg_turns_them(tmp_path: Path) -> None:
    plain = write_video(tmp_path / "a.mp4", range(3), TIMES[:3], size=(48, 64))
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    for angle in (90, 180, 270):
        path = tmp_path / f"{angle}.mp4"
        command = [ffmpeg, "-v", "error", "-display_rotation", str(angle), "-i", str(plain), "-c", "copy", str(path)]
        subprocess.run(command, check=True)
        show = [ffmpeg, "-v", "error", "-i", str(path), "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
        shown = np.frombuffer(subprocess.run(show, check=True, capture_output=True).stdout, np.uint8)
        ours = VideoStream(path).picture(0)
        assert ours.shape == ((64, 48, 3) if angle % 180 else (48, 64, 3))
        assert np.abs(ours.astype(int) - shown.reshape(ours.shape)).max() <= 8


def test_damage_is_an_error_and_the_frames_before_it_are_right(tmp_path: Path) -> None:
    options = {"g": "5", "bf": "0"}
    path = write_video(tmp_path / "a.mp4", range(COUNT), TIMES, options=options, container={"movflags": "faststart"})
    whole = decoded(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    video = VideoStream(path)
    right = 0
    for number in range(len(video)):
        try:
            assert np.array_equal(video.picture(number), whole[number])
            right += 1
        except MediaError:
            continue
    assert 5 < right < COUNT
    path.write_bytes(data[:300])
    with pytest.raises(MediaError, match=r"a\.mp4: "):
        VideoStream(path)
    with pytest.raises(IndexError, match="frame 3 of a video of 3"):
        VideoStream(write_video(tmp_path / "b.mp4", range(3), TIMES[:3])).picture(3)


def test_a_playlist_opens_no_other_file(tmp_path: Path) -> None:
    write_video(tmp_path / "secret.ts", range(5), TIMES[:5])
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1", "#EXTINF:0.5,", "secret.ts", "#EXT-X-ENDLIST"]
    for name in ("a.m3u8", "a.mp4"):
        (tmp_path / name).write_text("\n".join(lines))
        with pytest.raises(MediaError):
            open_media(tmp_path / name)
    (tmp_path / "b.mp4").write_text("ffconcat version 1.0\nfile secret.ts\n")
    with pytest.raises(MediaError):
        open_media(tmp_path / "b.mp4")


def test_the_marks_of_test_videos_can_be_read() -> None:
    assert [number_of(marked(number, 31, 45)) for number in (0, 1, 500, 65_535)] == [0, 1, 500, 65_535]

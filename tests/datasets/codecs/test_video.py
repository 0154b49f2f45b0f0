"""Videos that are written: every frame, its time, any size; joined files; what happens when writing fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.datasets.codecs.video import VideoWriter, join_videos, playable, video_bytes, write_video
from embodio.datasets.errors import DatasetError
from embodio.model.processing.video_stream import VideoStream
from embodio.model.writing import WriteError
from tests.support.videos import marked, number_of


@settings(max_examples=8, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    fps=st.sampled_from([1, 7.3, 10, 12.5, 29.97, 30, 60]),
    size=st.tuples(st.integers(32, 70), st.integers(32, 70)),  # smaller ones have marks of a few pixels, which blur
)
def test_joined_videos_hold_every_frame_at_its_time(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], fps: float, size: tuple[int, int]
) -> None:
    folder, parts, count = tmp_path_factory.mktemp("video"), [], sum(lengths)
    numbers = iter(range(count))
    for place, length in enumerate(lengths):
        parts.append(folder / f"{place}.mp4")
        write_video(parts[-1], (marked(next(numbers), *size) for _ in range(length)), fps)
    join_videos(folder / "all.mp4", parts)
    assert [path.name for path in folder.iterdir()] == ["all.mp4"]
    video = VideoStream(folder / "all.mp4")
    assert len(video) == count
    np.testing.assert_allclose(video.index.times, np.arange(count) / fps, atol=1e-4 / fps)
    for number in range(count):
        assert video.picture(number).shape == (*size, 3)
        assert number_of(video.picture(number)) == number
    video.close()


def test_any_frame_is_at_most_one_after_a_key_frame(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", (marked(number) for number in range(20)), 10)
    index = VideoStream(tmp_path / "a.mp4").index
    assert index.keys.tolist() == index.shown[::2].tolist()


@pytest.mark.parametrize(
    ("shape", "widest", "size"),
    [
        ((31, 45, 3), None, (30, 44)),
        ((31, 45, 1), 320, (30, 44)),
        ((64, 640, 4), 320, (32, 320)),
        ((480, 641, 3), 320, (240, 320)),
        ((64, 96, 3), 96, (64, 96)),
        ((1, 1, 3), None, (2, 2)),
        ((2, 900, 3), 320, (2, 320)),
    ],
)
def test_frames_for_players_are_even_and_not_wider_than_wanted(
    shape: tuple[int, int, int], widest: int | None, size: tuple[int, int]
) -> None:
    frame = np.full(shape, 77, np.uint8)
    found = playable(frame, widest)
    assert found.shape == (*size, 3) and (found == 77).all()


def test_a_writer_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), VideoWriter(path, 10) as writer:
        writer.add(marked(1))
        raise KeyboardInterrupt
    with (
        pytest.raises(DatasetError, match=r"differ in size: \(64, 64\) and \(32, 64\)"),
        VideoWriter(path, 10) as writer,
    ):
        writer.add(marked(1))
        writer.add(marked(1, 32, 64))
    refused = VideoWriter(path, 10, arguments=["-no_such_option", "1"])
    with pytest.raises(WriteError, match=r"a\.mp4 cannot be written: .*Unrecognized option"), refused as writer:
        writer.add(marked(1))
    with VideoWriter(path, 10):
        pass
    assert path.read_bytes() == b"old" and [found.name for found in tmp_path.iterdir()] == ["a.mp4"]
    with pytest.raises(WriteError, match="cannot be written"):
        write_video(tmp_path / "nowhere" / "a.mp4", [marked(1)], 10)
    with pytest.raises(WriteError, match="cannot be written"):
        join_videos(tmp_path / "b.mp4", [path])
    assert path.exists() and not (tmp_path / "b.mp4").exists()


def test_videos_for_pages_begin_with_the_table_of_frames() -> None:
    data = video_bytes((marked(number) for number in range(4)), 10)
    assert data[4:8] == b"ftyp" and data.index(b"moov") < data.index(b"mdat")

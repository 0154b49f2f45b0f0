"""Frames of episodes by presentation time: the right one or an error, whatever happened to the video."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.datasets.codecs.open_videos import OpenVideos
from embodio.datasets.codecs.video_segments import Stretch, VideoSegment, choose
from embodio.datasets.errors import CorruptRecordError
from embodio.model.processing.frame_index import FrameIndex
from embodio.model.processing.media_files import MediaError
from tests.support.videos import number_of, ramp, write_video

UNIT = Fraction(1, 90_000)


def index_of(times: np.ndarray, step: float) -> FrameIndex:
    shown = np.rint(times / float(UNIT)).astype(np.int64)
    return FrameIndex(shown, shown[:1], UNIT, int(shown[-1] + step / float(UNIT)), timed=True)


def stretches(path: Path, lengths: list[int], step: float, rate: float | None = None) -> list[Stretch]:
    """Where episodes of these lengths lie that follow each other in a file."""
    first, total = [0, *accumulate(lengths)], sum(lengths)
    return [
        Stretch(path, first[n] * step, first[n + 1] * step, step, 64, 64, rate, first[n], total, total * step)
        for n in range(len(lengths))
    ]


def steps_of(stretch: Stretch) -> np.ndarray:
    return np.arange(round((stretch.end - stretch.begin) / stretch.step))


@st.composite
def filmed(draw: st.DrawFn) -> tuple[list[int], float, int, list[int], list[float], list[float]]:
    """Lengths, rate, frames a step, dropped frames, how late each frame and each step is in steps."""
    lengths = draw(st.lists(st.integers(1, 12), min_size=1, max_size=4))
    rate = draw(st.sampled_from([1.0, 5.0, 10.0, 29.97, 30.0, 50.0]))
    often, steps = draw(st.integers(1, 3)), sum(lengths)
    dropped = draw(st.lists(st.integers(0, steps * often - 1), unique=True, max_size=min(6, steps * often - 1)))
    late = st.floats(0, 0.1 / often)
    frames = draw(st.lists(late, min_size=steps * often, max_size=steps * often))
    return lengths, rate, often, dropped, frames, draw(st.lists(late, min_size=steps, max_size=steps))


@settings(max_examples=400, deadline=None)
@given(filmed())
def test_a_step_has_its_own_frame_or_none(
    case: tuple[list[int], float, int, list[int], list[float], list[float]],
) -> None:
    """With any gaps, any rate, irregular frames and irregular timestamps; never a picture of another episode."""
    lengths, rate, often, dropped, frames_late, steps_late = case
    step = 1 / rate
    numbers = np.array([n for n in range(sum(lengths) * often) if n not in dropped])
    index = index_of((numbers / often + np.array(frames_late)[numbers]) * step, step / often)
    first, errors = 0, 0
    for stretch, length in zip(stretches(Path("a.mp4"), lengths, step, rate * often), lengths, strict=True):
        times = stretch.begin + (np.arange(length) + np.array(steps_late[first : first + length])) * step
        try:
            chosen = choose(stretch, index, times)
        except CorruptRecordError:
            errors += 1
            first += length
            continue
        for place in range(length):
            shown = None if chosen[place] < 0 else int(numbers[chosen[place]])
            if shown is None:
                assert (first + place) * often in dropped
                continue
            assert first * often <= shown < (first + length) * often, "a picture of another episode"
            distances = np.abs(index.times - times[place])
            assert distances[chosen[place]] <= step * 0.502
            if often == 1 or (first + place) * often not in dropped:
                assert shown == (first + place) * often
        first += length
    assert not errors or dropped


@settings(max_examples=150, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    wrong=st.floats(0.3, 3),
    lost=st.integers(0, 2),
)
def test_frames_that_were_counted_at_another_rate_are_refused(lengths: list[int], wrong: float, lost: int) -> None:
    """One frame a step, but the file says other times: where they lead to another frame, nothing is served."""
    count = max(1, sum(lengths) - lost)
    index = index_of(np.arange(count) * 0.1 / wrong, 0.1 / wrong)
    for stretch in stretches(Path("a.mp4"), lengths, 0.1):
        steps = steps_of(stretch)
        try:
            chosen = choose(stretch, index, stretch.begin + steps * 0.1)
        except CorruptRecordError:
            continue
        right = stretch.before + steps
        # Frames that end with the episodes are those of a slower or faster camera: nothing shows them to be counted.
        ends_with_episodes = abs(count * 0.1 / wrong - sum(lengths) * 0.1) <= 0.05
        assert count < 4 or ends_with_episodes or ((chosen == right) | (chosen < 0)).all()


@settings(max_examples=12, deadline=None)
@given(
    lengths=st.lists(st.integers(2, 8), min_size=2, max_size=3),
    rate=st.sampled_from([5, 10, 30]),
    dropped=st.sets(st.integers(0, 23), max_size=4),
    late=st.lists(st.integers(0, 20), min_size=24, max_size=24),
    codec=st.sampled_from(["libx264", "mpeg4", "libvpx-vp9"]),
)
def test_pictures_of_real_files(lengths: list[int], rate: int, dropped: set[int], late: list[int], codec: str) -> None:
    """Two or three episodes in one file with gaps and a variable rate; every picture says which step it is."""
    numbers = [n for n in range(sum(lengths)) if n not in dropped] or [0]
    times = [(n + late[n] / 100) / rate for n in numbers]
    with tempfile.TemporaryDirectory() as folder:
        path = write_video(Path(folder) / "a.mp4", numbers, times, codec=codec, unit=Fraction(1, 30_000))
        for stretch in stretches(path, lengths, 1 / rate):
            steps = steps_of(stretch)
            segment, errors = VideoSegment(stretch, stretch.begin + steps / rate), 0
            for step in np.random.default_rng(0).permutation(steps).tolist():
                try:
                    assert number_of(segment.frame(step)) == stretch.before + step
                except CorruptRecordError:
                    errors += 1
            own = {stretch.before + step for step in steps.tolist()}
            assert errors >= len(own & dropped) - (dropped >= set(range(sum(lengths))))
            assert not errors or dropped


def segment_of(path: Path, count: int = 10, **changes: object) -> VideoSegment:
    stretch = replace(stretches(path, [count], 0.1)[0], **changes)  # type: ignore[arg-type]
    return VideoSegment(stretch, stretch.begin + np.arange(count) / 10)


def test_errors_say_what_is_wrong(tmp_path: Path) -> None:
    times = [number / 10 for number in range(10)]
    path = write_video(tmp_path / "a.mp4", range(10), times)
    with pytest.raises(CorruptRecordError, match=r"64 x 64 pixels .height x width., where 32 x 64 is described"):
        segment_of(path, height=32).frame(3)
    with pytest.raises(CorruptRecordError, match=r"there is no such file"):
        segment_of(tmp_path / "none.mp4").frame(0)
    with pytest.raises(CorruptRecordError, match=r"yuv420p; depth needs"):
        segment_of(path).depth()
    gap = write_video(tmp_path / "b.mp4", [0, 1, 2, *range(5, 10)], [*times[:3], *times[5:]])
    with pytest.raises(
        CorruptRecordError, match=r"step 3 of the episode is at 0\.300 s, and the nearest frame .* 0\.200"
    ):
        segment_of(gap).frame(3)
    assert number_of(segment_of(gap).frame(5)) == 5
    early = write_video(tmp_path / "c.mp4", range(9), times[:9])
    with pytest.raises(CorruptRecordError, match=r"no frame for the last step"):
        segment_of(early).frame(0)
    cut = write_video(tmp_path / "f.mp4", [*range(5), *range(6, 9)], [*times[:5], *times[6:9]])
    with pytest.raises(CorruptRecordError, match=r"no frame for the last step"):
        segment_of(cut).frame(0)
    assert segment_of(path, 0).depth().shape == (0, 64, 64, 1)
    fast = write_video(tmp_path / "d.mp4", range(10), [time / 3 for time in times])
    with pytest.raises(
        CorruptRecordError, match=r"the video has 30 frames a second and ends at 0\.333 s, where 10 and"
    ):
        segment_of(fast).frame(0)
    late = write_video(tmp_path / "e.mp4", range(10), [time + 0.2 for time in times])
    with pytest.raises(CorruptRecordError, match=r"no frame for the first step"):
        segment_of(late).frame(0)
    with pytest.raises(CorruptRecordError, match=r"timestamps of the steps do not ascend"):
        VideoSegment(stretches(path, [10], 0.1)[0], np.full(10, np.nan)).frame(0)


def test_depth_of_an_episode(tmp_path: Path) -> None:
    times = [number / 10 for number in range(10)]
    path = write_video(tmp_path / "a.mkv", range(10), times, codec="ffv1", pixels="gray16le")
    first, second = stretches(path, [4, 6], 0.1)
    depth = VideoSegment(second, second.begin + np.arange(6) / 10).depth()
    assert depth.dtype == np.uint16 and np.array_equal(depth[..., 0], [ramp(number) for number in range(4, 10)])
    with pytest.raises(CorruptRecordError, match=r"gray16le, .*read it as depth"):
        VideoSegment(first, first.begin + np.arange(4) / 10).frame(0)


def test_decoders_stay_open_and_see_that_a_file_was_replaced(tmp_path: Path) -> None:
    times = [number / 10 for number in range(10)]
    paths = [write_video(tmp_path / f"{name}.mp4", range(10), times) for name in "abc"]
    videos = OpenVideos(most=2)
    with videos.borrow(paths[0]) as first, videos.borrow(paths[0]) as second:
        assert first is not second, "two at the same time have one each"
    with videos.borrow(paths[0]) as again:
        assert again in (first, second)
    for path in paths[1:]:
        with videos.borrow(path) as video:
            kept = video
    with videos.borrow(paths[0]) as video:
        assert video not in (first, second) and video.index is first.index, "it was closed, its times are remembered"
    with videos.borrow(paths[2]) as video:
        assert video is kept
    write_video(paths[2], range(5, 12), times[:7])
    with videos.borrow(paths[2]) as video:
        assert len(video) == 7 and number_of(video.picture(0)) == 5
    with pytest.raises(MediaError), videos.borrow(tmp_path / "none.mp4"):
        pass
    videos.forget()
    with videos.borrow(paths[2]) as other:
        assert other is not video


def test_threads_read_the_same_files(tmp_path: Path) -> None:
    times = [number / 10 for number in range(30)]
    paths = [write_video(tmp_path / f"{name}.mp4", range(30), times, options={"g": "8"}) for name in "ab"]

    def right(seed: int) -> bool:
        picks = np.random.default_rng(seed).integers(0, 30, 40).tolist()
        segments = [segment_of(path, 30) for path in paths]
        return all(number_of(segments[pick % 2].frame(pick)) == pick for pick in picks)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(right, range(8)))

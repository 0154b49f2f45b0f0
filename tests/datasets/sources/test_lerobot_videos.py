"""Videos of LeRobot folders as they are found: gaps, odd times and sizes, depth."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embodio.datasets import open_source
from embodio.datasets.conversion.conversion import convert
from embodio.datasets.episodes.features import ImageFeature, TensorFeature
from embodio.datasets.errors import CorruptRecordError
from tests.support.videos import number_of, ramp, write_video

FPS, LENGTHS, KEY = 10, (12, 15, 10), "observation.images.front"
FIRST, TOTAL = (0, 12, 27), 37
TIMES = [number / FPS for number in range(TOTAL)]
VIDEO = f"videos/{KEY}/chunk-000/file-000.mp4"
DEPTH = {"video.is_depth_map": True, "video.pix_fmt": "gray16le"}
Edit = Callable[[dict[str, Any]], Any]


def make_folder(
    root: Path,
    timestamps: Sequence[float] = TIMES,
    *,
    field: dict[str, Any] | None = None,
    about: dict[str, Any] | None = None,
    row: Edit | None = None,
) -> Path:
    """A folder of three episodes whose video is missing.

    Args:
        root: the folder.
        timestamps: of all rows, counted from the beginning of the first episode.
        field: what info.json says of the camera otherwise.
        about: what it says of its video otherwise.
        row: changes each row of the table of episodes.
    """
    info = {"video.fps": FPS, "video.pix_fmt": "yuv420p", "video.is_depth_map": False} | (about or {})
    camera = {"dtype": "video", "shape": [64, 64, 3], "names": ["height", "width", "channels"], "info": info}
    features: dict[str, Any] = {KEY: camera | (field or {}), "action": {"dtype": "float32", "shape": [1]}}
    whole = ("episode_index", "frame_index", "index", "task_index")
    features |= {name: {"dtype": "int64", "shape": [1]} for name in whole} | {
        "timestamp": {"dtype": "float32", "shape": [1]}
    }
    place = "chunk-{chunk_index:03d}/file-{file_index:03d}"
    described = {"codebase_version": "v3.0", "fps": FPS, "features": features, "total_frames": TOTAL}
    described |= {"data_path": f"data/{place}.parquet", "video_path": f"videos/{{video_key}}/{place}.mp4"}
    rows, episodes = [], []
    for episode, (first, length) in enumerate(zip(FIRST, LENGTHS, strict=True)):
        for step in range(length):
            numbers = {"episode_index": episode, "frame_index": step, "index": first + step, "task_index": 0}
            rows.append(numbers | {"action": float(step), "timestamp": timestamps[first + step] - TIMES[first]})
        found: dict[str, Any] = {"episode_index": episode, "length": length, "dataset_from_index": first}
        found |= {f"{at}/{kind}_index": 0 for at in ("data", f"videos/{KEY}") for kind in ("chunk", "file")}
        found |= {f"videos/{KEY}/from_timestamp": first / FPS, f"videos/{KEY}/to_timestamp": (first + length) / FPS}
        if row:
            row(found)
        episodes.append(found)
    for name, table in (("data/chunk-000/file-000", rows), ("meta/episodes/chunk-000/file-000", episodes)):
        (root / name).parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(table), root / f"{name}.parquet")
    pq.write_table(pa.table({"task_index": [0], "__index_level_0__": ["push"]}), root / "meta/tasks.parquet")
    (root / "meta/info.json").write_text(json.dumps(described))
    return root


def shown(folder: Path) -> list[list[int | None]]:
    """What the pictures of each episode say, as numbers of steps; None where there is an error."""
    source = open_source(folder)
    found: list[list[int | None]] = []
    for number, first in enumerate(FIRST):
        episode, said = source.episode(number), []
        for step in range(len(episode)):
            try:
                said.append(number_of(episode.frame("front", step)) - first)
            except CorruptRecordError:
                said.append(None)
        found.append(said)
    source.close()
    return found


RIGHT = [list(range(length)) for length in LENGTHS]


@pytest.mark.parametrize("codec", ["libx264", "libsvtav1", "libx265"])
@pytest.mark.parametrize("name", ["regular", "jitter", "often", "unknown"])
def test_right_frames(tmp_path: Path, codec: str, name: str) -> None:
    """Regular ones, real timestamps with frames at the same times, three frames a step, times that nobody describes."""
    late = np.random.default_rng(0).uniform(0, 0.04, TOTAL) if name == "jitter" else np.zeros(TOTAL)
    times = [time + float(more) for time, more in zip(TIMES, late, strict=True)]
    about = {"video.fps": 30} if name == "often" else {}
    folder = make_folder(
        tmp_path,
        times,
        about=about,
        field={"info": None} if name == "unknown" else None,
        row=(lambda row: row.pop(f"videos/{KEY}/to_timestamp")) if name == "unknown" else None,
    )
    if name == "often":
        write_video(
            folder / VIDEO, [number // 3 for number in range(3 * TOTAL)], np.arange(3 * TOTAL) / 30, codec=codec
        )
    else:
        write_video(folder / VIDEO, range(TOTAL), times, codec=codec)
    assert shown(folder) == RIGHT


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="Linux tells the scheduling of a thread")
def test_written_videos_leave_the_priority_of_the_tests_alone(tmp_path: Path) -> None:
    before = os.sched_getscheduler(0), os.sched_getparam(0).sched_priority
    write_video(tmp_path / "video.mp4", range(3), [0.0, 0.1, 0.2], codec="libsvtav1")
    assert (os.sched_getscheduler(0), os.sched_getparam(0).sched_priority) == before


def test_a_gap_is_an_error_and_the_frames_around_it_are_right(tmp_path: Path) -> None:
    kept = [number for number in range(TOTAL) if number not in (3, 4, 20)]
    write_video(make_folder(tmp_path) / VIDEO, kept, [TIMES[number] for number in kept])
    assert shown(tmp_path) == [
        [step if first + step in kept else None for step in range(length)]
        for first, length in zip(FIRST, LENGTHS, strict=True)
    ]


def test_an_episode_without_its_last_frame_never_shows_the_next_one(tmp_path: Path) -> None:
    kept = [number for number in range(TOTAL) if number != FIRST[1] - 1]
    write_video(make_folder(tmp_path) / VIDEO, kept, [TIMES[number] for number in kept])
    assert shown(tmp_path) == [[None] * 12, *RIGHT[1:]]


@pytest.mark.parametrize("factor", [1 / 3, 0.5, 0.9, 1.1, 2])
def test_frames_counted_at_another_rate_are_refused(tmp_path: Path, factor: float) -> None:
    write_video(make_folder(tmp_path) / VIDEO, range(TOTAL), [time * factor for time in TIMES])
    assert all(said in (None, step) for episode in shown(tmp_path) for step, said in enumerate(episode))
    with pytest.raises(CorruptRecordError, match="frames a second"):
        open_source(tmp_path).episode(2).frame("front", 0)


@pytest.mark.parametrize("shift", [-0.3, -0.1, 0.06, 0.1, 5.0])
def test_shifted_times_show_nothing_from_elsewhere(tmp_path: Path, shift: float) -> None:
    def later(row: dict[str, Any]) -> None:
        if row["episode_index"]:
            row[f"videos/{KEY}/from_timestamp"] += shift
            row[f"videos/{KEY}/to_timestamp"] += shift

    write_video(make_folder(tmp_path, row=later) / VIDEO, range(TOTAL), TIMES)
    assert all(said in (None, step) for episode in shown(tmp_path) for step, said in enumerate(episode))


def test_episodes_that_begin_together_are_refused(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, row=lambda row: row.update({f"videos/{KEY}/from_timestamp": 0.0}))
    write_video(folder / VIDEO, range(TOTAL), TIMES)
    said = shown(folder)
    assert all(found in (None, step) for episode in said for step, found in enumerate(episode))
    assert said[0][0] is None


def test_an_episode_without_steps_takes_no_frame_from_the_next_one(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    write_video(folder / VIDEO, range(TOTAL), TIMES)
    path = folder / "meta/episodes/chunk-000/file-000.parquet"
    rows = pq.read_table(path).to_pylist()
    empty = rows[1] | {
        "episode_index": 3,
        "length": 0,
        f"videos/{KEY}/to_timestamp": rows[1][f"videos/{KEY}/from_timestamp"],
    }
    pq.write_table(pa.Table.from_pylist([*rows, empty]), path)
    assert shown(folder) == RIGHT
    assert len(open_source(folder).episode(3)) == 0


@pytest.mark.parametrize("timestamps", [[time + 1.7e9 for time in TIMES], [float("nan")] * TOTAL, [0.0] * TOTAL])
def test_timestamps_of_another_clock_are_refused(tmp_path: Path, timestamps: list[float]) -> None:
    write_video(make_folder(tmp_path, timestamps) / VIDEO, range(TOTAL), TIMES)
    assert {said for episode in shown(tmp_path) for said in episode} == {None}


def test_swapped_height_and_width_are_an_error(tmp_path: Path) -> None:
    write_video(make_folder(tmp_path, field={"shape": [64, 32, 3]}) / VIDEO, range(TOTAL), TIMES, size=(32, 64))
    with pytest.raises(CorruptRecordError, match=r"32 x 64 pixels .* where 64 x 32 is described"):
        open_source(tmp_path).episode(0).frame("front", 0)


def test_depth_is_read_as_numbers_of_16_bits(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, field={"shape": [64, 64, 1]}, about=DEPTH)
    made = write_video(tmp_path / "a.mkv", range(TOTAL), TIMES, codec="ffv1", pixels="gray16le")
    (folder / VIDEO).parent.mkdir(parents=True)
    made.rename(folder / VIDEO)
    source = open_source(folder)
    assert source.features.steps["observation/front"] == TensorFeature("uint16", (64, 64, 1), "png")
    episode = source.episode(1)
    depth = episode.array("observation/front")
    assert episode.cameras == () and depth.dtype == np.uint16
    assert np.array_equal(depth[..., 0], [ramp(number) for number in range(12, 27)])
    convert(source, tmp_path / "rlds")
    assert np.array_equal(open_source(tmp_path / "rlds").episode(1).array("observation/front"), depth)


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ({"video.is_depth_map": True, "video.pix_fmt": "yuv420p"}, "depth as yuv420p is not read"),
        (DEPTH | {"video.depth_min": 0.01, "video.depth_max": 10.0}, "codes between depth_min and depth_max"),
        ({"is_depth_map": True, "video.is_depth_map": None}, "depth as "),
    ],
)
def test_depth_of_other_kinds_is_left_unread_with_a_reason(tmp_path: Path, about: dict[str, Any], reason: str) -> None:
    source = open_source(make_folder(tmp_path, about=about))
    assert "observation/front" not in source.features.steps
    assert reason in source.features.unread["steps/observation/front"]


def test_depth_that_is_described_as_a_camera_is_an_error(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    write_video(folder / VIDEO, range(TOTAL), TIMES, codec="libx265", pixels="gray12le")
    source = open_source(folder)
    assert isinstance(source.features.steps["observation/front"], ImageFeature)
    with pytest.raises(CorruptRecordError, match=r"gray12le.*read it as depth"):
        source.episode(0).frame("front", 0)

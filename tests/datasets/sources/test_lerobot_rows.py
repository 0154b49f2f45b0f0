"""LeRobot rows are found by the episode and frame they name, whatever the descriptions say; versions 2.0 and 2.1."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.datasets.checks.verify import verify
from embodio.datasets.codecs.image_codec import encode_image
from embodio.datasets.codecs.video import write_video
from embodio.datasets.conversion.conversion import convert
from embodio.datasets.conversion.settings import ConversionSettings
from embodio.datasets.episodes.index import index_episodes
from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError, UnsafeName
from embodio.datasets.opening import open_source
from embodio.datasets.sources.lerobot.reader import LeRobotSource

FPS, LENGTHS, FILES = 10, (4, 6, 5, 3), (0, 0, 1, 1)
TASKS = {0: "open the door", 1: "close the door"}
CAMERA = "observation.images.front"
BOOKKEEPING = ("timestamp", "frame_index", "episode_index", "index", "task_index")


def rows_of(episode: int) -> pa.Table:
    steps = np.arange(LENGTHS[episode])
    return pa.table(
        {
            "action": pa.array([[float(episode), float(step)] for step in steps], pa.list_(pa.float32(), 2)),
            "timestamp": pa.array((steps / FPS).astype(np.float32)),
            "frame_index": steps,
            "episode_index": np.full(len(steps), episode),
            "index": steps + sum(LENGTHS[:episode]),
            "task_index": np.full(len(steps), episode % 2),
        }
    )


def info_of(version: str, **more: Any) -> dict[str, Any]:
    features: dict[str, Any] = {"action": {"dtype": "float32", "shape": [2], "names": ["episode", "step"]}}
    features |= {name: {"dtype": "int64", "shape": [1], "names": None} for name in BOOKKEEPING}
    info = {"codebase_version": version, "fps": FPS, "features": features, "splits": {"train": f"0:{len(LENGTHS)}"}}
    return info | {"total_episodes": len(LENGTHS), "total_frames": sum(LENGTHS), "chunks_size": 1000} | more


def write(path: Path, content: pa.Table | str | list[dict[str, Any]], **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, pa.Table):
        pq.write_table(content, path, **options)
    else:
        lines = content if isinstance(content, str) else "".join(json.dumps(line) + "\n" for line in content)
        path.write_text(lines, encoding="utf-8")


def write_version3(folder: Path, edit: Callable[[int, pa.Table], pa.Table] = lambda number, table: table) -> Path:
    begin, rows = 0, []
    for episode, length in enumerate(LENGTHS):
        row = {"episode_index": episode, "tasks": [TASKS[episode % 2]], "length": length, "data/chunk_index": 0}
        row |= {"data/file_index": FILES[episode], "dataset_from_index": begin, "dataset_to_index": begin + length}
        rows.append(row)
        begin += length
    for number in set(FILES):
        table = pa.concat_tables([rows_of(episode) for episode, file in enumerate(FILES) if file == number])
        write(folder / f"data/chunk-000/file-{number:03d}.parquet", edit(number, table), row_group_size=4)
    write(folder / "meta/episodes/chunk-000/file-000.parquet", pa.Table.from_pylist(rows))
    write(folder / "meta/tasks.parquet", pa.table({"task_index": list(TASKS), "task": list(TASKS.values())}))
    path = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
    write(folder / "meta/info.json", json.dumps(info_of("v3.0", data_path=path, video_path=None)))
    return folder


def edit_episodes(folder: Path, edit: Callable[[list[dict[str, Any]]], Any]) -> None:
    path = folder / "meta/episodes/chunk-000/file-000.parquet"
    rows = pq.read_table(path).to_pylist()
    edit(rows)
    write(path, pa.Table.from_pylist(rows))


def assert_right(folder: Path, episodes: tuple[int, ...] = (0, 1, 2, 3)) -> LeRobotSource:
    source = open_source(folder)
    assert isinstance(source, LeRobotSource)
    for place, number in enumerate(episodes):
        episode = source.episode(place)
        assert episode.metadata == {"episode_index": number} and len(episode) == LENGTHS[number]
        assert episode.array("action").tolist() == [[number, step] for step in range(LENGTHS[number])]
        assert episode.instruction == TASKS[number % 2]
    return source


def recast(table: pa.Table, kind: pa.DataType) -> pa.Table:
    for name in ("episode_index", "frame_index", "task_index"):
        table = table.set_column(table.column_names.index(name), name, table[name].cast(kind))
    return table


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_rows_in_any_order_are_those_of_their_episode(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    def shuffle(number: int, table: pa.Table) -> pa.Table:
        return table.take(data.draw(st.permutations(range(len(table)))))

    assert_right(write_version3(tmp_path_factory.mktemp("shuffled"), shuffle)).close()


def test_rows_whose_ends_are_in_place_may_be_shuffled_between(tmp_path: Path) -> None:
    def swap(number: int, table: pa.Table) -> pa.Table:
        order = list(range(len(table)))
        order[2], order[3] = order[3], order[2]
        return table.take(order)

    assert_right(write_version3(tmp_path, swap)).close()


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.int32(), pa.uint8()])
def test_numbers_of_other_types(kind: pa.DataType, tmp_path: Path) -> None:
    folder = write_version3(tmp_path, lambda number, table: recast(table, kind))
    edit_episodes(
        folder, lambda rows: [row.update({name: float(row[name]) for name in row if "_index" in name}) for row in rows]
    )
    assert_right(folder)


def test_what_the_table_of_episodes_says_of_rows_may_be_wrong(tmp_path: Path) -> None:
    folder = write_version3(tmp_path)
    edit_episodes(folder, lambda rows: [row.update(dataset_from_index=row["dataset_from_index"] + 3) for row in rows])
    assert assert_right(folder).remarks == {}
    edit_episodes(folder, lambda rows: rows[2].update({"data/file_index": 0}))
    source = assert_right(folder)
    assert [remark.split(",")[1] for remark in source.remarks] == [
        " not in file-000.parquet as the table of episodes says"
    ]
    finding = verify(source)[0]
    assert finding.status == "warning" and "episode 2 is in" in finding.found
    assert_right(pickle.loads(pickle.dumps(source)).folder)


@pytest.mark.parametrize(
    ("edit", "episode", "said"),
    [
        (lambda table: table.slice(1), 0, "frames 0 to 3 once each, but rows 0 to 2 are its frames 1 to 3"),
        (lambda table: table.slice(0, len(table) - 1), 1, "rows 4 to 8 are its frames 0 to 4"),
        (lambda table: pa.concat_tables([table, table.slice(2, 1)]), 0, "rows 10 to 10 are its frames 2 to 2"),
        (lambda table: pa.concat_tables([table, table]), 1, "rows 14 to 19 are its frames 0 to 5"),
        (lambda table: table.slice(4), 0, "no row is of episode 0"),
        (lambda table: table.drop_columns(["episode_index"]), 0, "no column episode_index"),
        (lambda table: table.drop_columns(["frame_index"]), 0, "no column frame_index"),
        (lambda table: recast(table, pa.string()), 0, "expected whole numbers"),
        (lambda table: table.slice(0, 0), 0, "no row is of episode 0"),
    ],
)
def test_rows_that_are_missing_or_double_are_named(edit: Any, episode: int, said: str, tmp_path: Path) -> None:
    source = open_source(write_version3(tmp_path, lambda number, table: table if number else edit(table)))
    for path in ("action", "is_first"):
        if path in source.features.steps:
            with pytest.raises(CorruptRecordError, match=rf"file-00\d\.parquet, record \d+: .*{said}"):
                source.episode(episode).array(path)
    finding = verify(source)[0]
    assert finding.status == "warning" and "damaged" in finding.found


@pytest.mark.parametrize("number", [2.5, -1, 2**62, None])
def test_numbers_that_count_nothing(number: Any, tmp_path: Path) -> None:
    folder = write_version3(tmp_path)
    edit_episodes(folder, lambda rows: [row.update({"data/file_index": number}) for row in rows])
    with pytest.raises(CorruptRecordError, match="data/file_index is"):
        open_source(folder)


def test_an_episode_is_described_once(tmp_path: Path) -> None:
    folder = write_version3(tmp_path)
    edit_episodes(folder, lambda rows: rows.append(rows[1]))
    with pytest.raises(CorruptRecordError, match="episode 1 is described twice"):
        open_source(folder)
    edit_episodes(folder, lambda rows: rows.pop())
    edit_episodes(folder, lambda rows: rows.reverse())
    assert_right(folder)
    edit_episodes(folder, lambda rows: rows.pop(1))
    assert next(iter(assert_right(folder, (0, 1, 3)).remarks)).endswith("total_episodes 4, and the episodes have 3")


def test_a_wrong_total_is_remarked(tmp_path: Path) -> None:
    folder = write_version3(tmp_path)
    info = json.loads((folder / "meta/info.json").read_text())
    write(folder / "meta/info.json", json.dumps(info | {"total_frames": 3}))
    source = assert_right(folder)
    assert "total_frames 3" in verify(source)[0].found


def test_tasks_with_gaps_and_columns_of_others(tmp_path: Path) -> None:
    folder = write_version3(tmp_path)
    tasks = folder / "meta/tasks.parquet"
    write(tasks, pa.table({"task_index": [7.0, 1.0, 0.0], "note": ["a", "b", "c"], "task": ["no", TASKS[1], TASKS[0]]}))
    assert_right(folder)
    for column, known in (([0, 0], ["a", "b"]), ([0, None], ["a", "b"]), ([0, 1], ["a", None])):
        write(tasks, pa.table({"task_index": column, "task": known}))
        with pytest.raises(CorruptRecordError, match="is not a task"):
            open_source(folder)
    write(tasks, pa.table({"task_index": [0], "one": ["a"], "other": ["b"]}))
    with pytest.raises(DatasetError, match="expected task_index and the texts"):
        open_source(folder)


def picture(episode: int, step: int) -> np.ndarray:
    return np.full((16, 24, 3), 20 + 40 * episode + 5 * step, np.uint8)


def write_version2(folder: Path, version: str, *, kind: str = "video") -> Path:
    """The files of the versions 2.0 and 2.1 as LeRobot named them."""
    write(folder / "meta/tasks.jsonl", [{"task_index": number, "task": text} for number, text in TASKS.items()])
    lines = [{"episode_index": n, "tasks": [TASKS[n % 2]], "length": length} for n, length in enumerate(LENGTHS)]
    write(folder / "meta/episodes.jsonl", lines)
    for number, length in enumerate(LENGTHS):
        table = rows_of(number)
        if kind == "image":
            files = [encode_image(picture(number, step), "png") for step in range(length)]
            cells = [{"bytes": data, "path": f"frame_{step:06d}.png"} for step, data in enumerate(files)]
            table = table.append_column(CAMERA, pa.array(cells, pa.struct({"bytes": pa.binary(), "path": pa.string()})))
        else:
            video = folder / f"videos/chunk-000/{CAMERA}/episode_{number:06d}.mp4"
            video.parent.mkdir(parents=True, exist_ok=True)
            write_video(video, [picture(number, step) for step in range(length)], FPS)
        write(folder / f"data/chunk-000/episode_{number:06d}.parquet", table)
    info = info_of(version, data_path="data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet")
    info["video_path"] = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
    info["features"][CAMERA] = {"dtype": kind, "shape": [16, 24, 3], "names": ["height", "width", "channel"]}
    info["features"]["action"]["names"] = {"motors": ["episode", "step"]}
    write(folder / "meta/info.json", json.dumps(info))
    write(folder / ("meta/stats.json" if version == "v2.0" else "meta/episodes_stats.jsonl"), "{}\n")
    return folder


@pytest.mark.parametrize("kind", ["video", "image"])
@pytest.mark.parametrize("version", ["v2.0", "v2.1"])
def test_version_2(version: str, kind: str, tmp_path: Path) -> None:
    source = assert_right(write_version2(tmp_path / "set", version, kind=kind))
    assert source.dimension_names("action") == ["episode", "step"] and source.remarks == {}
    for number, length in enumerate(LENGTHS):
        for step in range(length):
            frame = source.episode(number).frame("front", step)
            assert np.abs(frame.astype(int) - picture(number, step)).max() <= (3 if kind == "video" else 0)
    behind = open_source(f"file://{tmp_path}/set")
    assert np.array_equal(behind.episode(2).array("action"), source.episode(2).array("action"))
    assert np.array_equal(behind.episode(2).frame("front", 1), source.episode(2).frame("front", 1))


def test_chunks_of_version_2(tmp_path: Path) -> None:
    folder = write_version2(tmp_path, "v2.1", kind="image")
    for number in (2, 3):
        path = folder / f"data/chunk-001/episode_{number:06d}.parquet"
        path.parent.mkdir(exist_ok=True)
        (folder / f"data/chunk-000/episode_{number:06d}.parquet").rename(path)
    info = json.loads((folder / "meta/info.json").read_text())
    write(folder / "meta/info.json", json.dumps(info | {"chunks_size": 2}))
    assert_right(folder)
    write(folder / "meta/info.json", json.dumps(info | {"chunks_size": 0}))
    with pytest.raises(DatasetError, match="chunks_size is 0"):
        open_source(folder)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("episodes", '{"episode_index": 0, "length": 4}\n{"episode_ind', "record 1: is not JSON"),
        ("episodes", "\n[1]\n", "record 1: holds no object"),
        ("episodes", '{"episode_index": 0.5, "length": 4}', "episode None of 4 steps"),
        ("episodes", '{"episode_index": 0, "length": -1}', "episode 0 of None steps"),
        ("episodes", '{"episode_index": 0, "length": 4}\n{"episode_index": 0, "length": 4}', "described twice"),
        ("tasks", '{"task_index": 0, "task": "a"}\n{"task_index": 0, "task": "b"}', "is not a task"),
        ("tasks", '{"task_index": "0", "task": "a"}', "is not a task"),
    ],
)
def test_damaged_descriptions_of_version_2(name: str, text: str, said: str, tmp_path: Path) -> None:
    folder = write_version2(tmp_path, "v2.1", kind="image")
    write(folder / f"meta/{name}.jsonl", text)
    with pytest.raises(CorruptRecordError, match=said):
        open_source(folder)
    (folder / f"meta/{name}.jsonl").unlink()
    with pytest.raises(CorruptRecordError, match="missing"):
        open_source(folder)


def test_a_file_of_version_2_with_the_rows_of_another_episode(tmp_path: Path) -> None:
    folder = write_version2(tmp_path, "v2.1", kind="image")
    data = folder / "data/chunk-000"
    (data / "episode_000001.parquet").replace(data / "episode_000000.parquet")
    with pytest.raises(CorruptRecordError, match="no row is of episode 0"):
        open_source(folder).episode(0).array("action")


@pytest.mark.parametrize("how", ["relative", "absolute", "elsewhere", "upwards", "missing", "neither", "alone"])
def test_cells_that_name_image_files(how: str, tmp_path: Path) -> None:
    folder = write_version2(tmp_path / "set", "v2.1", kind="image")
    path = folder / "data/chunk-000/episode_000000.parquet"
    table, files = pq.read_table(path), []
    for step in range(LENGTHS[0]):
        name = f"images/{CAMERA}/episode_000000/frame_{step:06d}.png"
        if how != "missing":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(encode_image(picture(0, step), "png"))
        files.append(
            {"absolute": f"{folder}/{name}", "elsewhere": "/etc/passwd", "upwards": "../../x.png"}.get(how, name)
        )
    cells = [{"bytes": None, "path": None if how == "neither" else name} for name in files]
    column = (
        pa.array(files) if how == "alone" else pa.array(cells, pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    )
    write(path, table.set_column(table.column_names.index(CAMERA), CAMERA, column))
    episode = open_source(folder).episode(0)
    errors = {"elsewhere": UnsafeName, "upwards": UnsafeName, "missing": CorruptRecordError, "neither": FeatureError}
    if how in errors:
        with pytest.raises(errors[how]):
            episode.frame("front", 2)
    else:
        assert np.array_equal(episode.frame("front", 2), picture(0, 2))


def test_a_folder_without_a_robot_tells_its_rate(tmp_path: Path) -> None:
    source = open_source(write_version3(tmp_path / "one"))
    convert(source, tmp_path / "other", ConversionSettings("lerobot", images="png"))
    assert LeRobotSource(tmp_path / "other").fps == FPS


def test_a_length_that_no_recording_has_damages_its_episode(tmp_path: Path) -> None:
    folder = write_version3(tmp_path)
    edit_episodes(folder, lambda rows: rows[1].update(length=1 << 40))
    index = index_episodes(open_source(folder))
    assert index.lengths.tolist() == [4, 0, 5, 3]
    assert "an episode of 1099511627776 steps" in index.damaged[1]

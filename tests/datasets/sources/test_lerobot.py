"""LeRobot v3 folders: several episodes in one file, frames from videos, damage."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embodio.datasets.codecs.video import write_video
from embodio.datasets.episodes.features import TensorFeature
from embodio.datasets.episodes.source import EpisodeView
from embodio.datasets.errors import CorruptRecordError, DatasetError
from embodio.datasets.opening import open_source
from embodio.datasets.sources.lerobot.reader import LeRobotSource

LONG = 32
FPS, LENGTHS, KEY = 10, (5, LONG + 8, 3), "observation.images.front"
BOOKKEEPING = ("task_index", "episode_index", "frame_index")
TASKS = ["open the door", "close the door"]


def table(path: Path, rows: list[dict[str, Any]], schema: pa.Schema | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, row_group_size=4)


def level(index: int) -> int:
    """The grey of the frame with this number."""
    return 20 + (index * 37) % 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("lerobot")
    image = {"dtype": "video", "shape": [16, 24, 3], "names": ["height", "width", "channels"]}
    features: dict[str, Any] = {KEY: image, "action": {"dtype": "float32", "shape": [2], "names": ["x", "y"]}}
    features["next.done"] = {"dtype": "bool", "shape": [1], "names": None}
    features |= {name: {"dtype": "int64", "shape": [1], "names": None} for name in ("index", "task_index")}
    info = {"codebase_version": "v3.0", "fps": FPS, "features": features, "splits": {"train": "0:2", "test": "2:3"}}
    info["data_path"] = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
    info["video_path"] = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
    rows: list[dict[str, Any]] = []
    episodes: list[dict[str, Any]] = []
    for episode, length in enumerate(LENGTHS):
        first = len(rows)
        for step in range(length):
            row = {"action": [float(episode), float(step)], "next.done": step == length - 1, "index": first + step}
            rows.append(row | {"task_index": episode % 2, "episode_index": episode, "frame_index": step})
        found = {"episode_index": episode, "length": length, "tasks": [TASKS[episode % 2]], "stats/action/min": [0.0]}
        found |= {"data/chunk_index": 0, "data/file_index": 0, "dataset_from_index": first}
        found |= {f"videos/{KEY}/chunk_index": 0, f"videos/{KEY}/file_index": 0}
        episodes.append(found | {f"videos/{KEY}/from_timestamp": first / FPS})
    types = [("action", pa.list_(pa.float32(), 2)), ("next.done", pa.bool_()), ("index", pa.int64())]
    table(
        root / "data/chunk-000/file-000.parquet",
        rows,
        pa.schema([*types, *((name, pa.int64()) for name in BOOKKEEPING)]),
    )
    table(root / "meta/episodes/chunk-000/file-000.parquet", episodes)
    table(root / "meta/tasks.parquet", [{"task_index": i, "__index_level_0__": task} for i, task in enumerate(TASKS)])
    (root / "meta/info.json").write_text(json.dumps(info))
    video = root / f"videos/{KEY}/chunk-000/file-000.mp4"
    video.parent.mkdir(parents=True)
    write_video(video, (np.full((16, 24, 3), level(index), np.uint8) for index in range(len(rows))), FPS)
    return root


def test_values(folder: Path) -> None:
    source = pickle.loads(pickle.dumps(open_source(folder)))
    assert [source.episode_length(i) for i in range(len(source))] == list(LENGTHS)
    for number, length in enumerate(LENGTHS):
        episode = source.episode(number)
        assert isinstance(episode, EpisodeView) and episode.cameras == ("front",)
        assert episode.array("action").tolist() == [[number, step] for step in range(length)]
        assert episode.array("is_terminal").tolist() == [step == length - 1 for step in range(length)]
        assert episode.instruction == TASKS[number % 2]
        assert episode.metadata == {"episode_index": number}
    source.close()


@pytest.mark.parametrize(("number", "step"), [(0, 0), (0, 4), (1, 0), (1, LONG - 1), (1, LONG), (1, LONG + 7), (2, 2)])
def test_any_frame_is_the_right_one(folder: Path, number: int, step: int) -> None:
    frame = open_source(folder).episode(number).frame("front", step)
    assert frame.shape == (16, 24, 3)
    assert abs(float(frame.mean()) - level(sum(LENGTHS[:number]) + step)) < 3


def test_splits(folder: Path) -> None:
    source = open_source(folder, split="test")
    assert len(source) == 1 and source.episode(0).array("action")[0, 0] == 2
    with pytest.raises(DatasetError, match="no split 'valid'; it has test, train"):
        LeRobotSource(folder, split="valid")


def test_damage_is_named(folder: Path, tmp_path: Path) -> None:
    for path in (found for found in folder.rglob("*") if found.is_file()):
        copy = tmp_path / path.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    video = next(tmp_path.rglob("*.mp4"))
    video.write_bytes(video.read_bytes()[:400])
    data = next((tmp_path / "data").rglob("*.parquet"))
    data.write_bytes(data.read_bytes()[:-20])
    episode = open_source(tmp_path).episode(1)
    with pytest.raises(CorruptRecordError, match=r"file-000\.mp4"):
        episode.frame("front", 0)
    with pytest.raises(CorruptRecordError, match=r"file-000\.parquet"):
        episode.array("action")
    info = tmp_path / "meta/info.json"
    info.write_text(info.read_text().replace("v3.0", "v1.6"))
    with pytest.raises(DatasetError, match=r"version v1\.6"):
        LeRobotSource(tmp_path)


def test_fields_as_other_programs_describe_them(folder: Path, tmp_path: Path) -> None:
    """Channels first, a field that would have the path of a camera, one of a kind that nobody knows here."""
    copied = Path(shutil.copytree(folder, tmp_path / "copy"))
    info = json.loads((copied / "meta/info.json").read_text())
    info["features"][KEY] |= {"shape": [3, 16, 24], "names": None}
    info["features"]["observation.front"] = {"dtype": "uint64", "shape": [2], "names": None}
    info["features"]["sound"] = {"dtype": "audio", "shape": [1], "names": None}
    (copied / "meta/info.json").write_text(json.dumps(info))
    source = open_source(copied)
    assert source.features.steps["observation/front"] == TensorFeature("uint64", (2,))
    frame = source.episode(0).frame("observation/images/front", 2)
    assert frame.shape == (16, 24, 3) and abs(float(frame.mean()) - level(2)) < 3
    assert "audio" in source.features.unread["steps/sound"]

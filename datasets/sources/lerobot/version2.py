"""The folder `meta` of LeRobot data, versions 2.0 and 2.1: one line of JSON per episode and per task."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from embodio.datasets.errors import CorruptRecordError, DatasetError
from embodio.datasets.sources.lerobot.rows import whole_number
from embodio.datasets.sources.parquet import REMEDY

TASKS, EPISODES = "meta/tasks.jsonl", "meta/episodes.jsonl"
_CHUNK = 1000  # episodes in a folder, where info.json does not say


def read_tasks(folder: Path) -> dict[int, str]:
    """Number of each task -> its text; raises CorruptRecordError if a line is damaged or contradicts another."""
    tasks: dict[int, str] = {}
    for line, entry in _lines(folder / TASKS):
        number, text = whole_number(entry.get("task_index")), entry.get("task")
        if number is None or not isinstance(text, str) or tasks.setdefault(number, text) != text:
            raise CorruptRecordError(folder / TASKS, line, f"{entry} is not a task with a number of its own", REMEDY)
    return tasks


def read_rows(folder: Path, chunk_size: object, videos: Sequence[str], fps: float) -> list[dict[str, Any]]:
    """The episodes, described with version 3's names; each has its own file.

    Args:
        folder: of the data set.
        chunk_size: value of `chunks_size` in info.json.
        videos: names of the fields that are videos.
        fps: steps per second.

    Raises:
        DatasetError: `chunk_size` is not a number of episodes.
        CorruptRecordError: a line is damaged.
    """
    size = _CHUNK if chunk_size is None else whole_number(chunk_size)
    if not size:
        raise DatasetError(f"{folder}/meta/info.json: chunks_size is {chunk_size!r}, expected a number. {REMEDY}")
    rows: list[dict[str, Any]] = []
    for line, entry in _lines(folder / EPISODES):
        number, length = whole_number(entry.get("episode_index")), whole_number(entry.get("length"))
        if number is None or length is None:
            raise CorruptRecordError(folder / EPISODES, line, f"episode {number} of {length} steps", REMEDY)
        row: dict[str, Any] = {"episode_index": number, "length": length, "episode_chunk": number // size}
        for name in videos:
            row |= {f"videos/{name}/chunk_index": row["episode_chunk"], f"videos/{name}/file_index": number}
            row |= {f"videos/{name}/from_timestamp": 0.0, f"videos/{name}/to_timestamp": length / fps}
        rows.append(row)
    return rows


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and content of each non-empty line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise CorruptRecordError(path, 0, "the file is missing", REMEDY) from error
    except (OSError, UnicodeDecodeError) as error:
        raise CorruptRecordError(path, 0, f"cannot be read ({error})", REMEDY) from error
    for number, line in enumerate(lines):
        if line.strip():
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise CorruptRecordError(path, number, f"is not JSON ({error})", REMEDY) from error
            if not isinstance(entry, dict):
                raise CorruptRecordError(path, number, "holds no object", REMEDY)
            yield number, entry

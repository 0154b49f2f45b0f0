"""Which episodes keep their videos: failures first, as they are what one wants to see."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from embodio.benchmarks.rollouts.results import Results

_RANK = {"failure": 0, "timeout": 0, "error": 1, "success": 2}
"""What is kept first; a simulator that broke says less than a policy that failed."""


def another_video(results: Results, most: int) -> bool:
    """Whether the next episode may have to be filmed: not once there are `most` videos of failures."""
    return sum(row.video is not None and _RANK[row.status] == 0 for row in results.rows) < most


def keep_videos(results: Results, most: int, folder: Path) -> None:
    """Deletes the videos beyond `most`, of failures last and of the last seeds first, and clears their rows."""
    filmed = sorted(
        (row for row in results.rows if row.video is not None), key=lambda row: (_RANK[row.status], row.seed)
    )
    dropped = {row.seed: row.video for row in filmed[most:]}
    results.rows = [dataclasses.replace(row, video=None) if row.seed in dropped else row for row in results.rows]
    for name in dropped.values():
        (folder / str(name)).unlink(missing_ok=True)

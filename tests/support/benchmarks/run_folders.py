"""Folders of rollouts with made-up outcomes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from embodio.benchmarks.rollouts.results import Results
from embodio.benchmarks.rollouts.summary import EpisodeRow

LETTERS = {"s": "success", "f": "failure", "t": "timeout", "e": "error"}


def rows_of(outcomes: str, seed: int = 0, tasks: Iterable[str] = ()) -> list[EpisodeRow]:
    """One row for each letter: success, failure, timeout, error, or u for a success that was undone."""
    named = list(tasks) or [""] * len(outcomes)
    return [
        EpisodeRow(
            seed + index, LETTERS.get(letter, "timeout"), 9, 1.0,
            first_success=5 if letter in "su" else None, task=named[index],
        )
        for index, letter in enumerate(outcomes)
    ]  # fmt: skip


def write_run(
    folder: Path, agent: str, outcomes: str, env: str = "fake", seed: int = 0, tasks: Iterable[str] = (), **more: object
) -> Path:
    """Writes the results of a rollout; `more` are settings. Returns the folder."""
    settings = {"agent": agent, "env": env, "seed": seed, "horizon": None, **more}
    rows = rows_of(outcomes, seed, tasks)
    Results(settings, {"name": agent, "sha256": {}}, {}, {}, None, rows).save(folder / "results.json")
    return folder

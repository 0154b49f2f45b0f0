"""Rollouts in the fake world."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from embodio.benchmarks.rollouts.play import rollout
from embodio.benchmarks.rollouts.results import Results
from embodio.benchmarks.rollouts.rollout import RolloutConfig

SEED = 600


def play(out: Path, **changes: Any) -> Results:
    settings = {"agent": "expert", "env": "fake", "episodes": 6, "seed": SEED, "video": 0, "threads": 1, **changes}
    return rollout(RolloutConfig(out=out, **settings), Console(quiet=True))

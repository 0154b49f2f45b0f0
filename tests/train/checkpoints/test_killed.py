"""A run killed at random moments, also while a checkpoint is written, goes on to the same bits."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio import train
from tests.support.toy_experiment import EXPERIMENT
from tests.support.train.runs import same_files

ALL = {
    "optimiser": {"name": "adafactor", "schedule": "inverse_square_root", "warmup": 3, "learning_rate": 0.1},
    "accumulate": 2,
    "freeze": {"encoder.layers.*": 0.5, "decoder.norm.*": 0.8},
    "recompute": ["decoder.layers.*"],
    "keep": 2,
    "keep_every": 4,
}
LOW_RANK = {"lora": {"rank": 2, "train": ["text_embedding.*"]}, "optimiser": {"warmup": 2}}


def go_on(out: Path, changes: dict[str, Any]) -> None:
    """The toy with everything that has a state, and a checkpoint after each step."""
    usual = {"steps": 10, "batch_size": 2, "workers": 0, "threads": 1, "dropout_rate": 0.1}
    every = {"log_every": 1, "validate_every": 4, "checkpoint_every": 1}
    train.run(EXPERIMENT, out=str(out), **usual, **every, **changes)


def newest(out: Path) -> int:
    """When the checkpoint was last replaced, in nanoseconds."""
    try:
        return (out / "checkpoint" / "training.json").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


@pytest.mark.parametrize(
    ("changes", "kills"),
    [
        (ALL, 2),
        pytest.param(ALL, 12, marks=pytest.mark.slow),
        pytest.param(LOW_RANK, 12, marks=pytest.mark.slow),
    ],
)
def test_killed_again_and_again(tmp_path: Path, changes: dict[str, Any], kills: int) -> None:
    context, random = multiprocessing.get_context("forkserver"), np.random.default_rng()
    context.set_forkserver_preload(["embodio.train.main", "embodio.train.loop", "tests.support.toy_experiment"])
    go_on(tmp_path / "whole", changes)
    out, killed = tmp_path / "run", 0
    for attempt in range(kills):
        process = context.Process(target=go_on, args=(out, changes))
        before, end = newest(out), time.monotonic() + 300
        process.start()
        while attempt % 4 and process.is_alive() and newest(out) == before and time.monotonic() < end:
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.02 if attempt % 2 else 0.5))  # still in the same checkpoint, or in a later step
        process.kill()
        process.join(60)
        killed += process.exitcode == -9
    go_on(out, changes)
    assert killed >= min(kills, 4), "a run of ten steps must not end before it is killed"
    assert same_files(tmp_path / "whole" / "checkpoint", out / "checkpoint")
    assert not [path.name for path in out.rglob("*") if path.name.startswith(".")]
    names = [sorted(path.name for path in (one / "checkpoints").iterdir()) for one in (tmp_path / "whole", out)]
    assert names[0] == names[1]

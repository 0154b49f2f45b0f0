"""Times of actions: measured, summed up, kept in a file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio.benchmarks.rollouts.latency import Latency, TimedPolicy, append_times, read_times


class Sleeper:
    def reset(self, instruction: str | None = None) -> None:
        self.instruction = instruction

    def act(self, observation: Any) -> np.ndarray:
        time.sleep(observation)
        return np.ones(2, np.float32)


def test_every_action_is_timed() -> None:
    sleeper = Sleeper()
    policy = TimedPolicy(sleeper)
    policy.reset(instruction="go")
    assert sleeper.instruction == "go"
    assert policy.act(0.02).tolist() == [1, 1]
    policy.act(0.0)
    assert len(policy.milliseconds) == 2
    assert policy.milliseconds[0] >= 20 > policy.milliseconds[1]
    policy.forget()
    assert policy.milliseconds == []


def test_summary() -> None:
    latency = Latency.of([float(value) for value in range(1, 101)])
    assert latency is not None
    assert (latency.count, latency.mean, latency.maximum) == (100, 50.5, 100)
    assert latency.p50 == pytest.approx(50.5)
    assert latency.p95 == pytest.approx(95.05)
    assert latency.p99 == pytest.approx(99.01)
    assert Latency.of([]) is None


def test_file_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "latency.csv"
    assert read_times(path, [1]) == {}
    append_times(path, 1, [1.0, 2.5])
    append_times(path, 2, [3.0])
    append_times(path, 2, [4.0])  # played again, for the first time was not entered into the results
    path.write_text(path.read_text() + "3,0")
    assert read_times(path, [1, 2, 3]) == {1: [1.0, 2.5], 2: [4.0], 3: []}
    assert read_times(path, [2]) == {2: [4.0]}

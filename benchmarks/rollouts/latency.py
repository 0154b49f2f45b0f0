"""Latency of a policy: the time of every call to `act`, summarised as percentiles."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.envs import Policy
from embodio.model.writing import append


class TimedPolicy:
    """A policy that remembers how long each of its actions took.

    Attributes:
        milliseconds: Wall-clock time of every `act` since the episode began.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.milliseconds: list[float] = []

    def forget(self) -> None:
        """Forgets the times, before an episode begins."""
        self.milliseconds = []

    def reset(self, instruction: str | None = None) -> None:
        """Starts an episode."""
        self._policy.reset(instruction=instruction)

    def act(self, observation: Any) -> npt.NDArray[np.float32]:
        """The policy's action, float32 [A]."""
        start = time.perf_counter()
        action = self._policy.act(observation)
        self.milliseconds.append((time.perf_counter() - start) * 1e3)
        return action


@dataclass(frozen=True)
class Latency:
    """Times of `act` in milliseconds. An agent that plays chunks plans in some calls only, so look at the upper end.

    Attributes:
        count: Number of calls.
        mean: Mean time.
        p50: Median.
        p95: 95th percentile.
        p99: 99th percentile.
        maximum: Slowest call.
    """

    count: int
    mean: float
    p50: float
    p95: float
    p99: float
    maximum: float

    @classmethod
    def of(cls, milliseconds: Sequence[float]) -> Latency | None:
        """The summary of some times; None if there are none."""
        if not milliseconds:
            return None
        times = np.asarray(milliseconds, dtype=np.float64)
        p50, p95, p99 = (float(value) for value in np.percentile(times, (50, 95, 99)))
        return cls(len(times), float(times.mean()), p50, p95, p99, float(times.max()))

    def to_dict(self) -> dict[str, float]:
        """As JSON values, rounded to microseconds."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


def append_times(path: Path, seed: int, milliseconds: Iterable[float]) -> None:
    """Adds the times of one episode to a CSV file with the columns seed, step, milliseconds."""
    head = "" if path.exists() else "seed,step,milliseconds\r\n"
    rows = (f"{seed},{step},{value:.3f}\r\n" for step, value in enumerate(milliseconds))
    append(path, (head + "".join(rows)).encode())


def read_times(path: Path, seeds: Iterable[int]) -> dict[int, list[float]]:
    """The times of the given episodes from such a file; half-written lines and other episodes are skipped."""
    times: dict[int, dict[int, float]] = {seed: {} for seed in seeds}
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            numbers = _numbers(row)
            if numbers is not None and numbers[0] in times:
                times[numbers[0]][numbers[1]] = numbers[2]
    return {seed: list(steps.values()) for seed, steps in times.items()}


def _numbers(row: Mapping[str, str | None]) -> tuple[int, int, float] | None:
    try:
        return int(row["seed"] or ""), int(row["step"] or ""), float(row["milliseconds"] or "")
    except (KeyError, ValueError):
        return None

"""How long each stage of acting took: the last few thousand times of each, and their percentiles."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

REMEMBERED = 4096
"""Times that are kept of each stage."""


class _Recent:
    """The last times of one stage, in memory that is taken once."""

    def __init__(self) -> None:
        self._times, self._seen = np.zeros(REMEMBERED), 0

    def add(self, milliseconds: float) -> None:
        """One more; the oldest makes room for it."""
        self._times[self._seen % REMEMBERED] = milliseconds
        self._seen += 1

    @property
    def times(self) -> npt.NDArray[np.float64]:
        """All that are kept, in no order."""
        return self._times[: self._seen]


class StageTimes:
    """Times of named stages in milliseconds; memory does not grow with the number of steps."""

    def __init__(self) -> None:
        self._times: dict[str, _Recent] = {}
        self._current: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times what is done inside."""
        start = time.perf_counter()
        try:
            yield
        finally:
            milliseconds = (time.perf_counter() - start) * 1e3
            if name not in self._times:
                self._times[name] = _Recent()
            self._times[name].add(milliseconds)
            self._current[name] = self._current.get(name, 0.0) + milliseconds

    def collect(self) -> dict[str, float]:
        """Milliseconds of each stage since the last call of this."""
        current, self._current = self._current, {}
        return current

    def forget(self) -> None:
        """Forgets all times, for instance those of warming up."""
        self._times.clear()
        self._current.clear()

    def percentiles(self) -> dict[str, dict[str, float]]:
        """For each stage "p50", "p95" and "p99" in milliseconds, and "count" of the times they are made of."""
        summary = {}
        for name, recent in self._times.items():
            p50, p95, p99 = (float(value) for value in np.percentile(recent.times, (50, 95, 99)))
            summary[name] = {"p50": p50, "p95": p95, "p99": p99, "count": float(len(recent.times))}
        return summary

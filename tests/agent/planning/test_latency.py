"""Times of stages: percentiles of the last ones only."""

from __future__ import annotations

import pytest

from embodio.agent.planning import runtime as latency
from embodio.agent.planning.runtime import REMEMBERED, StageTimes


def test_only_the_last_times_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(latency.time, "perf_counter", lambda: clock[0])
    times = StageTimes()
    for number in range(REMEMBERED + 10):
        with times.stage("decode"):
            clock[0] += 1.0 if number < 10 else 0.002
    told = times.percentiles()["decode"]
    assert told["count"] == REMEMBERED
    assert [told[name] for name in ("p50", "p95", "p99")] == pytest.approx([2.0] * 3)
    assert times.collect()["decode"] == pytest.approx(10_000 + 2.0 * REMEMBERED)
    assert times.collect() == {}
    times.forget()
    assert times.percentiles() == {}

"""The agent suite: every figure is there, those of serving too."""

from __future__ import annotations

import pytest
from rich.progress import Progress

from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.speed import remote
from embodio.benchmarks.speed.suites import BenchmarkConfig
from embodio.benchmarks.speed.suites.agent import run


@pytest.mark.slow
def test_a_quick_run_gives_every_figure() -> None:
    rows = {row.name: row for row in run(BenchmarkConfig("agent", quick=True, repeats=1), Progress(disable=True))}
    assert {"act that plans, p50", "8 rows together", "8 clients of a server"} <= rows.keys()
    assert "act of a client while another client draws, p50" in rows
    assert "remote adds to act that plans, p50" in rows and rows["8 clients of a server"].value > 0


def test_a_server_that_does_not_start_is_an_error() -> None:
    with pytest.raises(BenchmarkError, match="by hand"), remote.served("no-such-agent"):
        pass

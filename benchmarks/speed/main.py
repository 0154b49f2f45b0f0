"""embodio-benchmark: speed and memory of one part of the software, compared with a reference."""

from __future__ import annotations

from collections.abc import Sequence

from embodio.agent.errors import AgentError
from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.speed.suites import BenchmarkConfig
from embodio.datasets.errors import DatasetError
from embodio.envs.errors import EnvError
from embodio.model.errors import ModelError
from embodio.train.command_line.cli import run as run_command


def _measure(config: BenchmarkConfig) -> None:
    from embodio.benchmarks.speed.measuring import benchmark

    benchmark(config)


def main(argv: Sequence[str] | None = None) -> int:
    """The command `embodio-benchmark`; returns its exit code."""
    return run_command(
        BenchmarkConfig,
        _measure,
        argv,
        prog="embodio-benchmark",
        description="Measures speed and memory, compared with the plain way of doing the same.",
        examples=(
            "embodio-benchmark suite=model",
            "embodio-benchmark suite=model quick=true out=runs/try",
            "LEROBOT_PYTHON=peers/bin/python embodio-benchmark suite=peers peers.agent=runs/lift50/checkpoint",
        ),
        user_errors=(BenchmarkError, ModelError, DatasetError, AgentError, EnvError),
    )

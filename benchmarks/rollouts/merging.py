"""`embodio-rollout merge`: one rollout of the shards that several commands have played."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from embodio.benchmarks.errors import BenchmarkError
from embodio.train.command_line.arguments import with_list
from embodio.train.command_line.cli import run
from embodio.train.command_line.job_settings import require_out


@dataclass(frozen=True)
class MergeConfig:
    """Settings of a merge.

    Attributes:
        folders: the folder out=... that all shards share, or the folders of the shards.
        out: where the whole rollout goes; null for the folder, where there is one.
    """

    folders: tuple[str, ...]
    out: Path | None = None

    def __post_init__(self) -> None:
        require_out(self.folders, self.out, "runs/whole")


def main(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit code."""
    return run(
        MergeConfig,
        _merge,
        with_list(arguments, "folders"),
        prog="embodio-rollout merge",
        description="Makes one rollout of its shards. A shard that is missing, unfinished or there twice is named.",
        examples=(
            "for i in 1 2 3 4; do embodio-rollout agent=lift-nano shard=$i/4 out=runs/lift-nano; done",
            "embodio-rollout merge runs/lift-nano",
            "embodio-rollout merge runs/here runs/there out=runs/whole",
        ),
        user_errors=(BenchmarkError,),
    )


def _merge(config: MergeConfig) -> None:
    from rich.console import Console

    from embodio.benchmarks.rollouts.play import REPORT, table
    from embodio.benchmarks.rollouts.player import VIDEOS
    from embodio.benchmarks.rollouts.report import write_report
    from embodio.benchmarks.rollouts.sharding import merge

    out = Path(config.folders[0]) if config.out is None else config.out
    results = merge([Path(folder) for folder in config.folders], out)
    report = (out / REPORT).resolve()
    command = shlex.join(["embodio-rollout", "merge", *config.folders, f"out={out}"])
    write_report(results, report, out / VIDEOS, command)
    console = Console(stderr=True)
    console.print(table(results))
    console.print(f"Report:  {report.as_uri()}", soft_wrap=True)

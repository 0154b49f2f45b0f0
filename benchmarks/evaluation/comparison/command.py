"""`embodio-evaluate compare`: is A better than B on the same items? From evaluations that exist."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from embodio.benchmarks.errors import BenchmarkError
from embodio.datasets.errors import DatasetError
from embodio.train.command_line.arguments import with_names
from embodio.train.command_line.cli import run
from embodio.train.command_line.ranges import AT_LEAST_ONE, PROPER_SHARE, Range, require_ranges


@dataclass(frozen=True)
class CompareEvaluationsConfig:
    """Settings of a comparison.

    Attributes:
        a: folder of an evaluation.
        b: the same for B, with which A is compared.
        out: folder for comparison.json and comparison.html; null only prints.
        margin: largest difference that counts as equal; 0.05 is five percentage points, or 5% of B's value for figures
            that do not lie between 0 and 1.
        alpha: probability of finding a difference that is not there, over all that is judged.
        power: probability of finding the observed difference that the number of items still needed is made for.
        judge: figures that are judged, main (the first one of each task) or all.
        draws: draws of the bootstrap and of the randomisation test.
        metrics: metrics of your own, as module:NAME, that the results are measured by; no others are imported.
    """

    a: str
    b: str
    out: Path | None = None
    margin: float = 0.05
    alpha: float = 0.05
    power: float = 0.8
    judge: Literal["main", "all"] = "main"
    draws: int = 2000
    metrics: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_ranges(self, alpha=PROPER_SHARE, power=PROPER_SHARE, margin=Range(0, 1, below=True), draws=AT_LEAST_ONE)

    @property
    def command(self) -> str:
        """The command line that makes the same comparison."""
        settings = [f"{name}={getattr(self, name)}" for name in ("out", "margin", "alpha", "power", "judge", "draws")]
        settings += [f"metrics=[{','.join(self.metrics)}]"] if self.metrics else []
        return shlex.join(["embodio-evaluate", "compare", self.a, self.b, *settings])


def main(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit code."""
    return run(
        CompareEvaluationsConfig,
        _compare,
        with_names(arguments, ("a", "b")),
        prog="embodio-evaluate compare",
        description="Says whether A is better than B, worse, equal, or how many more items that takes.",
        examples=(
            "embodio-evaluate compare runs/new runs/old out=runs/comparison",
            "embodio-evaluate compare runs/new runs/old judge=all margin=0.02",
        ),
        user_errors=(BenchmarkError, DatasetError),
    )


def _compare(config: CompareEvaluationsConfig) -> None:
    from rich.console import Console

    from embodio.benchmarks.comparing.page import write_comparison
    from embodio.benchmarks.evaluation.comparison.comparison import compare, read_evaluated
    from embodio.benchmarks.evaluation.comparison.shown import page_of, table
    from embodio.benchmarks.statistics.verdicts import Rule

    rule = Rule(config.margin, config.alpha, config.power)
    a, b = (read_evaluated(Path(folder)) for folder in (config.a, config.b))
    named = {metric for one in (a, b) for task in one.identity.tasks.values() for metric in task["metrics"]}
    if strange := sorted(name for name in named if ":" in name and name not in config.metrics):
        raise BenchmarkError(f"metrics: if you trust the modules of these, give metrics=[{','.join(strange)}]")
    comparison = compare(a, b, rule, config.judge, config.draws)
    Console(highlight=False).print(table(comparison))
    if config.out is not None:
        page = write_comparison(config.out, comparison.to_json(), page_of(comparison, config.command))
        Console(stderr=True, highlight=False).print(f"Comparison: {page.as_uri()}", soft_wrap=True)

"""embodio-evaluate: a network on annotated files, figures with intervals, and a page of worst and random examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from embodio.benchmarks.errors import BenchmarkError
from embodio.datasets.errors import DatasetError
from embodio.model.errors import ModelError
from embodio.train.command_line.cli import run
from embodio.train.command_line.ranges import AT_LEAST_ONE, COUNT, require_ranges
from embodio.train.errors import TrainError


@dataclass(frozen=True)
class EvaluateConfig:
    """Settings of an evaluation.

    Attributes:
        suite: Name of a suite (grit), or path of a YAML file of your own.
        model: Folder of a network, its name on the hub, or module:function that returns an object with the verb `run`.
        out: Folder for results.json, report.html and the answers; the same command resumes.
        data: Folder that the files of the suite lie in; null for the folder of the suite.
        tasks: Names of the tasks to evaluate; empty for all.
        limit: At most this many items of each task, the first ones; 0 for all.
        vocabulary: Folder or file of the vocabulary; empty for the one in the folder of the network.
        batch: Items answered at once.
        examples: Worst examples of each task on the page, and as many random ones.
        resamples: Draws of the bootstrap that intervals come from.
        seed: Seed of the first item's sampling; item i uses seed + i.
        device: Where the network runs, cpu or cuda.
        restart: Discard the answers in the folder instead of resuming.
    """

    suite: str
    model: str
    out: Path
    data: Path | None = None
    tasks: tuple[str, ...] = ()
    limit: int = 0
    vocabulary: str = ""
    batch: int = 16
    examples: int = 6
    resamples: int = 1000
    seed: int = 0
    device: str = "cpu"
    restart: bool = False

    def __post_init__(self) -> None:
        require_ranges(self, limit=COUNT, batch=AT_LEAST_ONE, examples=COUNT, resamples=AT_LEAST_ONE, seed=COUNT)


def _main(config: EvaluateConfig) -> None:
    from embodio.benchmarks.evaluation.evaluation import evaluate

    evaluate(config)


def main(argv: Sequence[str] | None = None) -> int:
    """The command `embodio-evaluate`; returns its exit code."""
    return run(
        EvaluateConfig,
        _main,
        argv,
        prog="embodio-evaluate",
        description="Evaluates a network on annotated files and reports figures with 95% intervals and examples.",
        examples=(
            "embodio-evaluate suite=grit data=data/grit/ablation model=allenai/uio2-large out=runs/grit",
            "embodio-evaluate suite=mine.yaml model=runs/instruct/last out=runs/mine limit=200",
            "embodio-evaluate suite=mine.yaml model=my_package.my_module:my_model out=runs/other",
        ),
        user_errors=(BenchmarkError, DatasetError, ModelError, TrainError),
    )

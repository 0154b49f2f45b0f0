"""embodio-evaluate: a network on annotated files, figures with intervals, and a page of worst and random examples."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from embodio.agent.errors import AgentError
from embodio.benchmarks.errors import BenchmarkError
from embodio.datasets.errors import DatasetError
from embodio.datasets.files.shards import JobShard
from embodio.model.errors import ModelError
from embodio.train.command_line.cli import run
from embodio.train.command_line.job_settings import require_shard
from embodio.train.command_line.ranges import AT_LEAST_ONE, COUNT, require_ranges
from embodio.train.errors import TrainError


@dataclass(frozen=True)
class EvaluateConfig:
    """Settings of an evaluation.

    Attributes:
        suite: Name of a suite (grit), or path of a YAML file of your own.
        model: Folder or name (embodio-nano, lift-nano, robots-nano) of a network, name in the local cache of the
            Hugging Face hub, or module:function that returns an object with the verb `run`.
        out: Folder for results.json, report.html and the answers; the same command resumes.
        data: Folder that the files of the suite lie in; null for the folder of the suite.
        tasks: Names of the tasks to evaluate; empty for all.
        limit: At most this many items of each task, the first ones; 0 for all.
        vocabulary: Folder or file of the vocabulary, such as LLaMA's tokenizer.model for released weights; empty for
            the one in the folder of the network.
        embed: module:function that turns a picture (uint8, height x width x 3) or a sound (float32, 16 kHz) into
            features, for the metrics picture_distance (FID, KID) and sound_distance (FAD).
        batch: Items answered at once.
        examples: Worst examples of each task on the page, and as many random ones.
        resamples: Draws of the bootstrap that intervals come from.
        seed: Seed of the first item's sampling; item i uses seed + i.
        device: Where the network runs, cpu or cuda.
        workers: Processes that answer at the same time, each with a network of its own.
        threads: Threads of the network in each process; 0 takes OMP_NUM_THREADS, or divides the cores.
        engine: Who answers, local (processes of this machine) or ray (a cluster, which shares the folders).
        shard: Part of the items that this command answers, such as 2/8 for every eighth from the second on, in a folder
            inside `out`; `embodio-evaluate merge` makes one evaluation of all. "" answers all.
        restart: Discard the answers in the folder instead of resuming.
    """

    suite: str
    model: str
    out: Path
    data: Path | None = None
    tasks: tuple[str, ...] = ()
    limit: int = 0
    vocabulary: str = ""
    embed: str = ""
    batch: int = 16
    examples: int = 6
    resamples: int = 1000
    seed: int = 0
    device: str = "cpu"
    workers: int = 1
    threads: int = 0
    engine: str = "local"
    shard: str = ""
    restart: bool = False

    def __post_init__(self) -> None:
        require_ranges(self, limit=COUNT, batch=AT_LEAST_ONE, examples=COUNT, resamples=AT_LEAST_ONE, seed=COUNT)
        require_ranges(self, workers=AT_LEAST_ONE, threads=COUNT)
        if self.shard:
            require_shard(self.shard)

    @property
    def in_workers(self) -> bool:
        """Whether others than this process answer."""
        return self.workers > 1 or self.engine != "local"

    @property
    def folder(self) -> Path:
        """Where results, report and answers go: `out`, or the folder of the shard in it."""
        return self.out / JobShard.of(self.shard).folder if self.shard else self.out

    def numbers(self, items: int) -> range:
        """The numbers of the items that this command answers, where a task has this many."""
        wanted = min(items, self.limit) if self.limit else items
        return JobShard.of(self.shard).indices(wanted) if self.shard else range(wanted)


def _main(config: EvaluateConfig) -> None:
    from embodio.benchmarks.evaluation.evaluation import evaluate

    evaluate(config)


VERBS = {
    "compare": "embodio.benchmarks.evaluation.comparison.command",
    "merge": "embodio.benchmarks.evaluation.merging",
}
"""First word of a command line that does something else -> the module of it, which has `main`."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command `embodio-evaluate`; returns its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] and arguments[0] in VERBS:
        code: int = importlib.import_module(VERBS[arguments[0]]).main(arguments[1:])
        return code
    return run(
        EvaluateConfig,
        _main,
        arguments,
        prog="embodio-evaluate",
        description="Evaluates a network on annotated files and reports figures with 95% intervals and examples.",
        examples=(
            "embodio-evaluate suite=grit data=data/GRIT model=allenai/uio2-large out=runs/grit",
            "embodio-evaluate suite=mine.yaml model=runs/instruct/last out=runs/mine limit=200",
            "embodio-evaluate suite=mine.yaml model=my_package.my_module:my_model out=runs/other",
            "embodio-evaluate compare runs/mine runs/other",
            "embodio-evaluate merge runs/mine",
        ),
        user_errors=(AgentError, BenchmarkError, DatasetError, ModelError, TrainError),
    )

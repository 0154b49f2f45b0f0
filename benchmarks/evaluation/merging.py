"""`embodio-evaluate merge`: one evaluation of the shards that several commands have answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from embodio.benchmarks.errors import BenchmarkError, ResultsError
from embodio.benchmarks.evaluation.identity import SETTINGS, Identity
from embodio.datasets.errors import DatasetError
from embodio.datasets.files.shards import JobShard, require_all, require_finished, shard_folders
from embodio.model.errors import ModelError
from embodio.train.command_line.arguments import with_list
from embodio.train.command_line.cli import run
from embodio.train.command_line.job_settings import require_out
from embodio.train.command_line.ranges import AT_LEAST_ONE, COUNT, require_ranges
from embodio.train.errors import TrainError

if TYPE_CHECKING:
    from rich.console import Console

    from embodio.benchmarks.evaluation.answerer import Answerer
    from embodio.benchmarks.evaluation.evaluate import EvaluateConfig
    from embodio.benchmarks.evaluation.evaluation import Outcomes
    from embodio.benchmarks.evaluation.runner import Runner


@dataclass(frozen=True)
class MergeEvaluationsConfig:
    """Settings of a merge.

    Attributes:
        folders: the folder out=... that all shards share, or the folders of the shards.
        out: where the whole evaluation goes; null for the folder, where there is one.
        examples: worst examples of each task on the page, and as many random ones, which are answered again; with 0 the
            model is not opened.
        resamples: draws of the bootstrap that intervals come from.
        batch: examples answered at once.
        trust: module:NAME of your own families, metrics, models and features that the shards name; nothing that is not
            listed is imported.
    """

    folders: tuple[str, ...]
    out: Path | None = None
    examples: int = 6
    resamples: int = 1000
    batch: int = 16
    trust: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_ranges(self, examples=COUNT, resamples=AT_LEAST_ONE, batch=AT_LEAST_ONE)
        require_out(self.folders, self.out, "runs/whole")


def main(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit code."""
    return run(
        MergeEvaluationsConfig,
        _merge,
        with_list(arguments, "folders"),
        prog="embodio-evaluate merge",
        description="Makes one evaluation of its shards. A shard that is missing, unfinished or there twice is named.",
        examples=(
            "for i in 1 2 3 4; do embodio-evaluate suite=mine.yaml model=runs/a/last shard=$i/4 out=runs/mine; done",
            "embodio-evaluate merge runs/mine",
            "embodio-evaluate merge runs/mine trust=[mine:FAMILY,mine:METRIC]",
            "embodio-evaluate merge runs/here runs/there out=runs/whole examples=0",
        ),
        user_errors=(BenchmarkError, DatasetError, ModelError, TrainError),
    )


def _merge(config: MergeEvaluationsConfig) -> None:
    merge(config)


@dataclass(frozen=True)
class _Part:
    """One shard."""

    folder: Path
    identity: Identity
    shard: JobShard


def merge(config: MergeEvaluationsConfig, runner: Runner | None = None, console: Console | None = None) -> Outcomes:
    """Merges the shards of one evaluation into a folder; the shards stay.

    Args:
        config: what to merge.
        runner: answers the examples of the page; None opens the model of the evaluation.
        console: where progress and table are shown; None for the standard error.

    Returns:
        The figures, as if one process had answered all items.

    Raises:
        ResultsError: a shard is missing, not finished or there twice, or they are not of one evaluation.
        BenchmarkError: the shards name code that `trust` does not.
        BenchmarkError, DatasetError, ModelError: as of `evaluate`.
    """
    from embodio.benchmarks.evaluation.answerer import Answerer
    from embodio.benchmarks.evaluation.answers import add_answers, answers_file, read_answers
    from embodio.benchmarks.evaluation.evaluation import answerer_config, evaluated

    parts = [_read(folder) for folder in shard_folders([Path(folder) for folder in config.folders], SETTINGS)]
    require_all({part.folder: part.shard for part in parts}, ResultsError)
    for part in parts[1:]:
        _require_of_one(parts[0], part)
    whole = _whole(config, parts[0].identity)
    _require_trusted(config, whole, opens_model=runner is None and config.examples > 0)
    answerer = Answerer(answerer_config(whole), runner)
    _require_same_tasks(parts[0], whole, answerer)
    answers = {}
    for name in parts[0].identity.scope["tasks"]:
        answers[name] = {part.folder: read_answers(answers_file(part.folder, name)) for part in parts}
        keys = [item.key for item in answerer.items(name)]
        for part in parts:
            numbers = replace(whole, shard=part.shard.text).numbers(len(keys))
            wanted = {keys[number] for number in numbers}
            done = set(answers[name][part.folder])
            require_finished(part.folder, part.shard, wanted, done, f"{name}:", ResultsError, "items")
    for name, of_parts in answers.items():
        file = answers_file(whole.out, name)
        file.unlink(missing_ok=True)
        add_answers(file, [item for found in of_parts.values() for item in found.values()])
    return evaluated(whole, answerer, console)


def _read(folder: Path) -> _Part:
    identity = Identity.read(folder)
    if identity is None:
        raise ResultsError(
            f"{folder} holds no {SETTINGS}, so it is not a shard of an evaluation. Name folders of shards"
        )
    if not identity.model.get("shard"):
        raise ResultsError(f"{folder} is a whole evaluation, not a shard of one: it was made without shard=i/n")
    return _Part(folder, identity, JobShard.of(identity.model["shard"]))


def _require_of_one(first: _Part, other: _Part) -> None:
    """Makes sure that two shards are of one evaluation."""
    same = Identity({**first.identity.model, "shard": other.shard.text}, first.identity.tasks, {})
    other.identity.require_same(same, other.folder)
    for name, value in first.identity.scope.items():
        found = other.identity.scope.get(name)
        if found != value:
            raise ResultsError(
                f"{first.folder} and {other.folder} are parts of different jobs: {name} is {value!r} and {found!r}"
            )


def _require_trusted(config: MergeEvaluationsConfig, whole: EvaluateConfig, *, opens_model: bool) -> None:
    """Makes sure that no module is imported which only the files of the shards name."""
    from embodio.benchmarks.evaluation.suite import code_in

    opened = [whole.embed, *([whole.model] if opens_model and not Path(whole.model).exists() else [])]
    named = {one for one in opened if ":" in one} | code_in(whole.suite)
    if strange := sorted(named - set(config.trust)):
        raise BenchmarkError(f"trust: the shards name code; if you trust it, give trust=[{','.join(strange)}]")


def _require_same_tasks(first: _Part, whole: EvaluateConfig, answerer: Answerer) -> None:
    """Makes sure that the suite asks what the shards were asked."""
    names = first.identity.scope["tasks"]
    if missing := [name for name in names if name not in answerer.tasks]:
        raise ResultsError(f"{first.folder} holds answers of {missing[0]}, which the suite no longer has")
    now = Identity.of(whole, {name: (answerer.tasks[name], answerer.file(name)) for name in names})
    Identity({}, first.identity.tasks, {}).require_same(Identity({}, now.tasks, {}), first.folder)


def _whole(config: MergeEvaluationsConfig, identity: Identity) -> EvaluateConfig:
    """The command that answers everything in one process."""
    from embodio.benchmarks.evaluation.evaluate import EvaluateConfig

    own, scope = identity.model, identity.scope
    return EvaluateConfig(
        suite=own["suite"],
        model=own["model"],
        out=Path(config.folders[0]) if config.out is None else config.out,
        data=Path(own["data"]) if own["data"] else None,
        tasks=tuple(scope["tasks"]),
        limit=scope["limit"],
        vocabulary=own["vocabulary"],
        embed=own["embed"],
        batch=config.batch,
        examples=config.examples,
        resamples=config.resamples,
        seed=own["seed"],
        device=scope["device"],
    )

"""An evaluation: answers all items of a suite, and writes figures, table and page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.evaluation.answerer import (
    Answerer,
    AnswererConfig,
    Job,
    answer_in_workers,
    answer_jobs,
)
from embodio.benchmarks.evaluation.answers import (
    ANSWERS,
    AnsweredItem,
    add_answers,
    answers_file,
    read_answers,
)
from embodio.benchmarks.evaluation.figures import TaskFigures, plain, table
from embodio.benchmarks.evaluation.identity import SETTINGS, Identity
from embodio.benchmarks.evaluation.page import TaskPart, evaluation_page, example_of
from embodio.benchmarks.evaluation.runner import Runner
from embodio.benchmarks.evaluation.score import suite_score
from embodio.benchmarks.speed.machine import usable_cores
from embodio.datasets.files.folder_lock import sole_user
from embodio.datasets.metrics import named_metric
from embodio.datasets.metrics.parts.embedding import EmbeddingMetric
from embodio.datasets.progress import progress_bars
from embodio.model.writing import write_bytes, write_json
from embodio.train.command_line.threads import threads

if TYPE_CHECKING:
    from embodio.benchmarks.evaluation.evaluate import EvaluateConfig

RESULTS, REPORT = "results.json", "report.html"

Outcomes = Mapping[str, TaskFigures]
"""Task -> its figures."""


def evaluate(config: EvaluateConfig, runner: Runner | None = None, console: Console | None = None) -> Outcomes:
    """Answers the items that the folder has no answers to yet, and writes results and page.

    Args:
        config: what to evaluate.
        runner: what answers; None opens the model of the config.
        console: where progress and table are shown; None for the standard error.

    Raises:
        BenchmarkError: the suite or the model is not there, or another process writes into the folder.
        ResultsError: the folder holds another evaluation.
        AnnotationError: a file of annotations is missing or wrong.
        MetricError: annotations lack what a metric reads.
        EngineError: a worker process or a machine died, or there is no such engine.
    """
    return evaluated(config, Answerer(answerer_config(config), runner), console)


def evaluated(config: EvaluateConfig, answerer: Answerer, console: Console | None = None) -> Outcomes:
    """As `evaluate`, with the answerer of the config, which may have read some items already."""
    console = console or Console(stderr=True)
    chosen = _chosen(answerer, config)
    with sole_user(config.folder, "evaluating into", BenchmarkError):
        _require_same(config, answerer, chosen)
        every = {name: list(config.numbers(len(answerer.items(name)))) for name in chosen}
        wanted = {name: numbers for name, numbers in every.items() if numbers}  # a shard may have none of few items
        _answer_missing(answerer, wanted, config, console)
        outcomes: dict[str, TaskFigures] = {}
        items: dict[str, list[AnsweredItem]] = {}
        parts = []
        for name, numbers in wanted.items():
            answered = read_answers(answers_file(config.folder, name))
            every_item = [answered[answerer.items(name)[number].key] for number in numbers]
            outcomes[name] = TaskFigures.of(answerer.tasks[name], every_item, config.resamples)
            asked = [number for number, item in zip(numbers, every_item, strict=True) if not item.missing]
            own = items[name] = [item for item in every_item if not item.missing]
            parts.append(_part(answerer, name, asked, own, outcomes[name], config))
        score = suite_score(answerer.suite, items, config.resamples)
        write_json(config.folder / RESULTS, plain(config, outcomes, score))
        write_bytes(config.folder / REPORT, evaluation_page(config.suite, config.model, parts))
    console.print(table(config, outcomes, score))
    for name, outcome in outcomes.items():
        if outcome.missing:
            console.print(f"{name}: {outcome.missing_in_words()}", soft_wrap=True)
    report = (config.folder / REPORT).resolve()
    console.print(f"Results: {(config.folder / RESULTS).resolve()}\nReport:  {report.as_uri()}", soft_wrap=True)
    return outcomes


def answerer_config(config: EvaluateConfig) -> AnswererConfig:
    """The part of the config that a worker needs; paths are made absolute."""
    own_suite = config.suite.endswith((".yaml", ".yml"))
    shared_out = max(1, usable_cores() // config.workers)
    return AnswererConfig(
        suite=str(Path(config.suite).absolute()) if own_suite else config.suite,
        data=None if config.data is None else config.data.absolute(),
        model=str(Path(config.model).absolute()) if Path(config.model).exists() else config.model,
        vocabulary=str(Path(config.vocabulary).absolute()) if config.vocabulary else "",
        device=config.device,
        embed=config.embed,
        batch=config.batch,
        seed=config.seed,
        threads=threads(config.threads, usual=shared_out),
    )


def _chosen(answerer: Answerer, config: EvaluateConfig) -> list[str]:
    names = list(answerer.tasks)
    for name in config.tasks:
        if name not in names:
            raise BenchmarkError(f"tasks: {config.suite} has no task {name!r}; it has {', '.join(names)}")
    chosen = [name for name in names if not config.tasks or name in config.tasks]
    for name in chosen:
        embedding = [one for one in answerer.tasks[name].measured_by if isinstance(named_metric(one), EmbeddingMetric)]
        if embedding and not config.embed:
            raise BenchmarkError(
                f"embed: {embedding[0]} of the task {name} needs a network that turns media into features: give "
                "embed=module:function"
            )
    return chosen


def _require_same(config: EvaluateConfig, answerer: Answerer, chosen: Sequence[str]) -> None:
    """Makes sure that the folder holds this evaluation; empties it on `restart`."""
    folder = config.folder
    if config.restart:
        for answers in (folder / ANSWERS).glob("*.jsonl"):
            answers.unlink()
        (folder / SETTINGS).unlink(missing_ok=True)
    wanted = Identity.of(config, {name: (answerer.tasks[name], answerer.file(name)) for name in chosen})
    found = Identity.read(folder)
    if found is not None:
        found.require_same(wanted, folder)
        wanted = found.extended(wanted)
    wanted.save(folder)


def _answer_missing(
    answerer: Answerer, wanted: Mapping[str, Sequence[int]], config: EvaluateConfig, console: Console
) -> None:
    """Answers the items that the folder has no answers to, and adds them to it, batch by batch."""
    jobs: list[Job] = []
    for name, numbers in wanted.items():
        known = read_answers(answers_file(config.folder, name))
        missing = [number for number in numbers if _is_open(answerer.items(name)[number].key, known)]
        jobs += [(name, missing[start : start + config.batch]) for start in range(0, len(missing), config.batch)]
    total = sum(len(numbers) for numbers in wanted.values())
    done = total - sum(len(numbers) for _, numbers in jobs)
    if done:
        console.print(f"{done} of {total} items are already answered, in {config.folder}", soft_wrap=True)
    if not jobs:
        return
    if config.in_workers:
        answered = answer_in_workers(answerer_config(config), jobs, config.workers, config.engine)
    else:
        answered = answer_jobs(answerer, jobs)
    with progress_bars(console) as progress:
        bar = progress.add_task(config.model, total=total, completed=done)
        for name, rows in answered:
            add_answers(answers_file(config.folder, name), rows)
            progress.update(bar, advance=len(rows), note=name)


def _is_open(key: str, known: Mapping[str, AnsweredItem]) -> bool:
    """Whether an item has no answer yet; one whose media were missing is tried again."""
    return key not in known or bool(known[key].missing)


def _part(
    answerer: Answerer,
    name: str,
    numbers: Sequence[int],
    answered: Sequence[AnsweredItem],
    outcome: TaskFigures,
    config: EvaluateConfig,
) -> TaskPart:
    """The part of the page about one task; examples are answered again, which gives the same answers."""
    task = answerer.tasks[name]
    main = task.measured_by[0]
    metric = named_metric(main)
    scores = metric.scores([item.measures[main] for item in answered])
    better = next(iter(metric.figures.values()))
    order = np.argsort(scores if better == "higher" else -scores, kind="stable")  # undefined ones last
    worst = order[: config.examples].tolist()
    others = np.random.default_rng(config.seed).permutation(len(numbers)).tolist()
    drawn = [place for place in others if place not in worst][: config.examples]
    places = worst + drawn
    own = [numbers[place] for place in places]
    truths = [answerer.items(name)[number].make() for number in own]
    answers = answerer.answers(name, own, truths) if own else []
    cards = [
        example_of(task, answered[place].key, float(scores[place]), truth, answer)
        for place, truth, answer in zip(places, truths, answers, strict=True)
    ]
    figures = {name: str(one) for metric in outcome.metrics.values() for name, one in metric.estimates.items()}
    unreadable = outcome.metrics[main].unreadable
    missing = outcome.missing_in_words()
    return TaskPart(
        name, task.family, len(numbers), unreadable, figures, cards[: len(worst)], cards[len(worst) :], missing
    )

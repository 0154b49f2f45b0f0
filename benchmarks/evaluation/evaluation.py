"""An evaluation: answers all items of a suite, and writes figures, table and page."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

from embodio.benchmarks.errors import BenchmarkError, ResultsError
from embodio.benchmarks.evaluation.answers import AnsweredItem, answer_missing, tallies
from embodio.benchmarks.evaluation.page import TaskPart, evaluation_page, example_of
from embodio.benchmarks.evaluation.runner import Runner, answers_of, open_runner
from embodio.benchmarks.evaluation.suite import SuiteTask, read_suite
from embodio.datasets.annotations.parts.item import AnnotatedItem
from embodio.datasets.files.folder_lock import sole_user
from embodio.datasets.metrics.parts.tally import Estimate, Figures, Tally
from embodio.datasets.progress import counted
from embodio.model.weights.checksums import SUMS_FILE
from embodio.model.writing import write_bytes, write_json

if TYPE_CHECKING:
    from embodio.benchmarks.evaluation.evaluate import EvaluateConfig

RESULTS, REPORT, SETTINGS, ANSWERS = "results.json", "report.html", "settings.json", "answers"

Outcomes = Mapping[str, Mapping[str, Figures]]
"""Task -> metric -> figures."""


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
    """
    console = console or Console(stderr=True)
    home, tasks = read_suite(config.suite)
    folder = home if config.data is None else config.data
    chosen = _chosen(tasks, config)
    with sole_user(config.out, "evaluating into", BenchmarkError):
        _require_same(config)
        items = {task.name: _items(task, folder, config.limit) for task in chosen}
        model = runner or open_runner(config.model, config.vocabulary, config.device, config.batch)
        outcomes: dict[str, Mapping[str, Figures]] = {}
        parts = []
        for task in chosen:
            own = items[task.name]
            answered = _answered(model, task, own, config, console)
            counts = tallies(task, answered)
            outcomes[task.name] = {name: one.result(resamples=config.resamples) for name, one in counts.items()}
            parts.append(_part(model, task, own, answered, counts, outcomes[task.name], config))
        write_json(config.out / RESULTS, _plain(config, chosen, outcomes))
        write_bytes(config.out / REPORT, evaluation_page(config.suite, config.model, parts))
    console.print(table(config, outcomes))
    report = (config.out / REPORT).resolve()
    console.print(f"Results: {(config.out / RESULTS).resolve()}\nReport:  {report.as_uri()}", soft_wrap=True)
    return outcomes


def table(config: EvaluateConfig, outcomes: Outcomes) -> Table:
    """The figures as a table for the terminal."""
    shown = Table(title=f"{config.model} on {config.suite}")
    for name in ("task", "figure"):
        shown.add_column(name)
    for name in ("value", "95% interval", "items", "unreadable"):
        shown.add_column(name, justify="right")
    for task, metrics in outcomes.items():
        for figures in metrics.values():
            for name, one in figures.estimates.items():
                arrow = "\u2191" if one.better == "higher" else "\u2193"
                counts = str(figures.items), str(figures.unreadable)
                shown.add_row(task, f"{name} {arrow}", _number(one.value), interval(one), *counts)
        shown.add_section()
    return shown


def interval(one: Estimate) -> str:
    """The ends of an interval; a dash where there is none."""
    return "-" if one.low is None or one.high is None else f"{_number(one.low)} to {_number(one.high)}"


def _number(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.4g}"


def _chosen(tasks: Sequence[SuiteTask], config: EvaluateConfig) -> list[SuiteTask]:
    names = [task.name for task in tasks]
    for name in config.tasks:
        if name not in names:
            raise BenchmarkError(f"tasks: {config.suite} has no task {name!r}; it has {', '.join(names)}")
    return [task for task in tasks if not config.tasks or task.name in config.tasks]


def _items(task: SuiteTask, folder: Path, limit: int) -> Sequence[AnnotatedItem]:
    found = task.items(folder)
    return found[:limit] if limit else found


def _identity(config: EvaluateConfig) -> dict[str, str | int]:
    """The settings that decide what an answer is; all answers of a folder share them."""
    text = Path(config.suite).read_text(encoding="utf-8") if config.suite.endswith((".yaml", ".yml")) else ""
    data = "" if config.data is None else str(config.data)
    sums = Path(config.model) / SUMS_FILE
    weights = sums.read_text(encoding="utf-8") if sums.is_file() else ""
    named = {"suite": config.suite, "suite_text": text, "model": config.model, "weights": weights, "data": data}
    return {**named, "seed": config.seed}


def _require_same(config: EvaluateConfig) -> None:
    """Makes sure that the folder holds this evaluation; empties it on `restart`."""
    import json

    path, wanted = config.out / SETTINGS, _identity(config)
    if config.restart:
        for answers in (config.out / ANSWERS).glob("*.jsonl"):
            answers.unlink()
        path.unlink(missing_ok=True)
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        for name, value in wanted.items():
            if found.get(name) != value:
                was = f"{name} was {found.get(name)!r} and is {value!r}"
                raise ResultsError(
                    f"{config.out} holds answers of another evaluation: {was}; use another folder, or restart=true"
                )
    write_json(path, wanted)


def _answered(
    runner: Runner, task: SuiteTask, items: Sequence[AnnotatedItem], config: EvaluateConfig, console: Console
) -> list[AnsweredItem]:
    path = config.out / ANSWERS / f"{task.name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with counted(task.name, len(items), console) as done:
        found = answer_missing(runner, task, items, path, batch=config.batch, seed=config.seed, done=done)
    return list(found.values())


def _part(
    runner: Runner,
    task: SuiteTask,
    items: Sequence[AnnotatedItem],
    answered: Sequence[AnsweredItem],
    counts: Mapping[str, Tally[Any]],
    outcome: Mapping[str, Figures],
    config: EvaluateConfig,
) -> TaskPart:
    """The part of the page about one task; examples are answered again, which gives the same answers."""
    main = task.measured_by[0]
    scores = counts[main].scores()
    better = next(iter(counts[main].metric.figures.values()))
    order = np.argsort(scores if better == "higher" else -scores, kind="stable")  # undefined ones last
    worst = order[: config.examples].tolist()
    others = np.random.default_rng(config.seed).permutation(len(items)).tolist()
    drawn = [number for number in others if number not in worst][: config.examples]
    numbers = worst + drawn
    truths = [items[number].make() for number in numbers]
    answers: list[Any] = []
    for start in range(0, len(numbers), config.batch):
        part = slice(start, start + config.batch)
        seeds = [config.seed + number for number in numbers[part]]
        answers += answers_of(runner, task, truths[part], seeds) if seeds else []
    cards = [
        example_of(task, answered[number].key, float(scores[number]), truth, answer)
        for number, truth, answer in zip(numbers, truths, answers, strict=True)
    ]
    figures = {name: str(one) for metric in outcome.values() for name, one in metric.estimates.items()}
    unreadable = outcome[main].unreadable
    return TaskPart(task.name, task.family, len(items), unreadable, figures, cards[: len(worst)], cards[len(worst) :])


def _plain(config: EvaluateConfig, tasks: Sequence[SuiteTask], outcomes: Outcomes) -> dict[str, Any]:
    """The results as plain values for JSON; undefined figures are null."""
    found = {}
    for task in tasks:
        metrics = {
            metric: {name: _defined(one) for name, one in figures.estimates.items()}
            for metric, figures in outcomes[task.name].items()
        }
        first = next(iter(outcomes[task.name].values()))
        counts = {"items": first.items, "clusters": first.clusters, "unreadable": first.unreadable}
        found[task.name] = {"family": task.family, **counts, "metrics": metrics}
    return {"suite": config.suite, "model": config.model, "seed": config.seed, "level": 0.95, "tasks": found}


def _defined(one: Estimate) -> dict[str, Any]:
    return dataclasses.asdict(one) | {"value": None if math.isnan(one.value) else one.value}

"""The figures of an evaluation: of each task and of the parts of its file, as a table and as plain values."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table

from embodio.benchmarks.evaluation.answers import AnsweredItem, tallies
from embodio.datasets.metrics.parts.metric import MetricError
from embodio.datasets.metrics.parts.tally import Estimate, Figures

if TYPE_CHECKING:
    from embodio.benchmarks.evaluation.evaluate import EvaluateConfig
    from embodio.benchmarks.evaluation.suite import SuiteTask

Metrics = Mapping[str, Figures]
"""Metric -> figures."""


@dataclass(frozen=True)
class TaskFigures:
    """The figures of one task.

    Attributes:
        family: of the task.
        main: the metric and its figure by which the task is scored.
        metrics: over all items.
        parts: name of a part of the file -> the figures over its items, where items have parts.
        missing: why items were not asked, such as a picture that is not there; they are in no figure.
    """

    family: str
    main: tuple[str, str]
    metrics: Metrics
    parts: Mapping[str, Metrics]
    missing: tuple[str, ...] = ()

    def missing_in_words(self) -> str:
        """How many items were not asked, and why the first one was not; empty where all were."""
        return f"{len(self.missing)} items could not be asked; the first one: {self.missing[0]}" if self.missing else ""

    @classmethod
    def of(cls, task: SuiteTask, answered: Sequence[AnsweredItem], resamples: int) -> TaskFigures:
        """The figures of what was measured; raises MetricError without items, or where not one could be asked."""
        missing = tuple(item.missing for item in answered if item.missing)
        if missing and len(missing) == len(answered):
            raise MetricError(
                f"{task.name}: not one of {len(missing)} items could be asked; the first one: {missing[0]}"
            )
        answered = [item for item in answered if not item.missing]
        names = dict.fromkeys(part for item in answered for part in item.parts)
        parts = {name: [item for item in answered if name in item.parts] for name in sorted(names)}
        return cls(
            task.family,
            task.main,
            _figures(task, answered, resamples),
            {name: _figures(task, own, resamples) for name, own in parts.items()},
            missing,
        )


def _figures(task: SuiteTask, answered: Sequence[AnsweredItem], resamples: int) -> Metrics:
    counts = tallies(task.measured_by, answered)
    return {name: one.result(resamples=resamples) for name, one in counts.items()}


def table(config: EvaluateConfig, outcomes: Mapping[str, TaskFigures], score: Estimate | None = None) -> Table:
    """The figures as a table for the terminal; of parts of files the main figure only."""
    shown = Table(title=f"{config.model} on {config.suite}")
    for name in ("task", "figure"):
        shown.add_column(name)
    for name in ("value", "95% interval", "items", "unreadable"):
        shown.add_column(name, justify="right")
    for task, found in outcomes.items():
        for figures in found.metrics.values():
            for name in figures.estimates:
                shown.add_row(task, *_cells(figures, name))
        for part, metrics in found.parts.items():
            shown.add_row(f"  {part}", *_cells(metrics[found.main[0]], found.main[1]))
        shown.add_section()
    if score is not None:
        items = str(sum(next(iter(found.metrics.values())).items for found in outcomes.values()))
        shown.add_row("score", "mean over tasks \u2191", number(score.value), interval(score), items, "")
    return shown


def _cells(figures: Figures, name: str) -> list[str]:
    one = figures.estimates[name]
    counts = [str(figures.items), str(figures.unreadable)]
    return [f"{name} {arrow(one.better)}", number(one.value), interval(one), *counts]


def arrow(better: str) -> str:
    """The sign of a figure: up where higher values are better."""
    return "\u2191" if better == "higher" else "\u2193"


def interval(one: Estimate) -> str:
    """The ends of an interval; a dash where there is none."""
    return "-" if one.low is None or one.high is None else f"{number(one.low)} to {number(one.high)}"


def number(value: float) -> str:
    """A value with four digits."""
    return "n/a" if math.isnan(value) else f"{value:.4g}"


def plain(config: EvaluateConfig, outcomes: Mapping[str, TaskFigures], score: Estimate | None = None) -> dict[str, Any]:
    """The results as plain values for JSON; undefined figures are null."""
    tasks = {}
    for name, found in outcomes.items():
        parts = {"parts": {part: _plain(metrics) for part, metrics in found.parts.items()}} if found.parts else {}
        missing = {"missing": len(found.missing)} if found.missing else {}
        tasks[name] = {"family": found.family, **_plain(found.metrics), **missing, **parts}
    about = {"suite": config.suite, "model": config.model, "seed": config.seed, "level": 0.95}
    return about | ({} if score is None else {"score": _defined(score)}) | {"tasks": tasks}


def _plain(metrics: Metrics) -> dict[str, Any]:
    first = next(iter(metrics.values()))
    counts = {"items": first.items, "clusters": first.clusters, "unreadable": first.unreadable}
    found = {
        metric: {name: _defined(one) for name, one in figures.estimates.items()} for metric, figures in metrics.items()
    }
    return {**counts, "metrics": found}


def _defined(one: Estimate) -> dict[str, Any]:
    return dataclasses.asdict(one) | {"value": None if math.isnan(one.value) else one.value}

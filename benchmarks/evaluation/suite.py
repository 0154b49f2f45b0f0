"""Suites: YAML files that list tasks, each a family or a procedure, a file of annotations, and the metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.evaluation.procedures import named_procedure, procedure_names
from embodio.benchmarks.evaluation.procedures.parts.procedure import Procedure
from embodio.datasets.annotations import annotation_formats, annotation_reader, read_annotations
from embodio.datasets.annotations.parts.item import AnnotatedItem
from embodio.datasets.metrics import named_metric
from embodio.model.tasks.base.family import Family
from embodio.model.tasks.families import family_named

SHIPPED = Path(__file__).resolve().parent / "suites"


@dataclass(frozen=True)
class SuiteTask:
    """One task of a suite.

    Attributes:
        name: its name in tables.
        family: name of the family, or of a procedure, see `embodio.benchmarks.evaluation.procedures`.
        file: of annotations, relative to the folder of the data.
        format: of the file, see `embodio.datasets.annotations`.
        media: folder of pictures and sounds, relative to the folder of the data.
        reading: further settings of the format, such as `split`.
        metrics: names of metrics; empty for those of the family.
        figure: the figure by which the task is scored and judged; empty for the first one of the first metric.
        wording: replaces the family's own wording, with the same slots; empty keeps it.
        options: further arguments of `TaskRunner.run`, such as `threshold`; of a procedure, those for each question.
        overlap: boxes that overlap an earlier one more than this are dropped; 1 keeps all.
    """

    name: str
    family: str
    file: str
    format: str = "jsonl"
    media: str = "."
    reading: Mapping[str, Any] | None = None
    metrics: tuple[str, ...] = ()
    figure: str = ""
    wording: str = ""
    options: Mapping[str, Any] | None = None
    overlap: float = 1.0

    @property
    def kind(self) -> Family[Any] | Procedure:
        """The family or the procedure."""
        return named_procedure(self.family) if self.family in procedure_names() else family_named(self.family)

    @property
    def measured_by(self) -> tuple[str, ...]:
        """The metrics."""
        return self.metrics or self.kind.metrics

    @property
    def main(self) -> tuple[str, str]:
        """The metric and its figure by which the task is scored and judged."""
        named = [(metric, figure) for metric in self.measured_by for figure in named_metric(metric).figures]
        return next(pair for pair in named if self.figure in ("", pair[1]))

    @property
    def definition(self) -> dict[str, Any]:
        """What is asked and how it is measured, as plain values; not where the files are."""
        names = ("family", "format", "wording", "overlap")
        own = {name: getattr(self, name) for name in names}
        settings = {"options": dict(self.options or {}), "reading": dict(self.reading or {})}
        plain: dict[str, Any] = json.loads(json.dumps(settings))  # as a file will give them back
        return own | {"metrics": list(self.measured_by), "main": list(self.main)} | plain

    def items(self, folder: Path) -> Sequence[AnnotatedItem]:
        """The items of the file; raises AnnotationError."""
        return read_annotations(self.format, folder / self.file, folder / self.media, self.kind, self.reading)


class Suite(NamedTuple):
    """A suite.

    Attributes:
        folder: of its file.
        tasks: its tasks.
        balanced: parts of the files, of which each task's score is the mean, so that the score of the suite is the mean
            over tasks of the mean over these parts; empty for a suite without a score.
    """

    folder: Path
    tasks: list[SuiteTask]
    balanced: tuple[str, ...] = ()


def read_suite(name: str) -> Suite:
    """The suite of a name.

    Args:
        name: of a shipped suite, or path of a YAML file.

    Raises:
        BenchmarkError: there is no such suite, or it is not one; the message names the task and the key.
        TaskError, UnknownMetricError, UnknownAnnotationFormatError: an unknown family, metric or format.
    """
    path, content = _content(name)
    tasks = content["tasks"]
    balanced = content.get("balanced") or []
    if not isinstance(balanced, list) or set(content) - {"tasks", "balanced"}:
        raise BenchmarkError(f"{path}: expected the keys tasks and perhaps balanced, a list of parts of the files")
    made = [_task(str(task), values, path) for task, values in tasks.items()]
    return Suite(path.parent, made, tuple(map(str, balanced)))


def code_in(name: str) -> set[str]:
    """The families and metrics that a suite names as module:NAME; nothing is imported. Errors as of `read_suite`."""
    _, content = _content(name)
    rows = [values for values in content["tasks"].values() if isinstance(values, dict)]
    named = [str(one) for row in rows for one in (row.get("family"), *(row.get("metrics") or ()))]
    return {one for one in named if ":" in one}


def _content(name: str) -> tuple[Path, dict[str, Any]]:
    """The file of a suite, and what it holds, with at least one task."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else SHIPPED / f"{name}.yaml"
    if not path.is_file():
        shipped = ", ".join(sorted(one.stem for one in SHIPPED.glob("*.yaml")))
        raise BenchmarkError(f"suite: there is no {name!r}; there are {shipped}, or give the path of a YAML file")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise BenchmarkError(f"{path}: not YAML: {error}") from error
    tasks = content.get("tasks") if isinstance(content, dict) else None
    if not isinstance(tasks, dict) or not tasks:
        raise BenchmarkError(f"{path}: expected the key tasks with at least one task")
    return path, content


def _task(name: str, values: Any, path: Path) -> SuiteTask:
    known = {one.name for one in fields(SuiteTask)} - {"name"}
    if not isinstance(values, dict) or not {"family", "file"} <= set(values) <= known:
        raise BenchmarkError(f"{path}: tasks.{name}: expected family, file and perhaps {', '.join(sorted(known))}")
    task = SuiteTask(name, **(values | {"metrics": tuple(values.get("metrics") or ())}))
    if not task.measured_by:
        raise BenchmarkError(f"{path}: tasks.{name}: the family {task.family} has no metric; give metrics")
    known_figures = [figure for metric in task.measured_by for figure in named_metric(metric).figures]
    if task.figure and task.figure not in known_figures:
        raise BenchmarkError(f"{path}: tasks.{name}: there is no figure {task.figure!r}; there are {known_figures}")
    fields_there = {one.name for one in fields(task.kind.annotation)}
    for metric in task.measured_by:
        missing = set(named_metric(metric).reads) - fields_there
        if missing:
            raise BenchmarkError(f"{path}: tasks.{name}: {metric} reads {sorted(missing)}, which {task.family} lacks")
    if task.format not in annotation_formats():
        annotation_reader(task.format)
    return task

"""Answers of an evaluation: one line of JSON for each item with its measures, so that an interrupted run resumes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from embodio.benchmarks.evaluation.runner import Runner, answers_of
from embodio.benchmarks.evaluation.suite import SuiteTask
from embodio.datasets.annotations.parts.item import AnnotatedItem
from embodio.datasets.metrics import named_metric
from embodio.datasets.metrics.parts.tally import Tally
from embodio.model.tasks.errors import AnswerError
from embodio.model.writing import append


@dataclass(frozen=True)
class AnsweredItem:
    """What was measured on one item.

    Attributes:
        key: of the item.
        group: of the item.
        measures: metric -> its measure.
        unreadable: why the answer could not be read; empty if it could.
    """

    key: str
    group: str
    measures: dict[str, Any]
    unreadable: str = ""


def read_answers(path: Path) -> dict[str, AnsweredItem]:
    """Key -> item of a file of answers; the last line is skipped if it is half-written."""
    found: dict[str, AnsweredItem] = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for line in lines:
        try:
            item = AnsweredItem(**json.loads(line))
        except (ValueError, TypeError):
            continue
        found[item.key] = item
    return found


def answer_missing(
    runner: Runner,
    task: SuiteTask,
    items: Sequence[AnnotatedItem],
    path: Path,
    *,
    batch: int,
    seed: int,
    done: Callable[[int], None],
) -> dict[str, AnsweredItem]:
    """Answers the items that the file does not hold yet, and adds them to it, batch by batch.

    Args:
        runner: answers.
        task: of the suite.
        items: of the task; item i is sampled with seed + i.
        path: of the answers.
        batch: items answered at once.
        seed: of sampling.
        done: called with the number of items that are answered.

    Returns:
        Key -> what was measured, of all items.
    """
    found = read_answers(path)
    missing = [(number, item) for number, item in enumerate(items) if item.key not in found]
    known = len(items) - len(missing)
    done(known)
    cut = "\n" if path.exists() and not path.read_bytes().endswith(b"\n") else ""  # after a half-written line
    for start in range(0, len(missing), batch):
        part = missing[start : start + batch]
        truths = [item.make() for _, item in part]
        answers = answers_of(runner, task, truths, [seed + number for number, _ in part])
        rows = [
            measured(task, item, answer, truth) for (_, item), answer, truth in zip(part, answers, truths, strict=True)
        ]
        append(path, (cut + "".join(f"{json.dumps(asdict(row))}\n" for row in rows)).encode())
        cut = ""
        found |= {row.key: row for row in rows}
        done(known + start + len(part))
    return {item.key: found[item.key] for item in items}


def measured(task: SuiteTask, item: AnnotatedItem, answer: Any, truth: Any) -> AnsweredItem:
    """One answer, measured by all metrics of the task."""
    wrong = answer if isinstance(answer, AnswerError) else None
    own = None if wrong is not None else answer
    measures = {name: named_metric(name).measure(own, truth) for name in task.measured_by}
    return AnsweredItem(item.key, item.group, measures, "" if wrong is None else str(wrong))


def tallies(task: SuiteTask, answered: Sequence[AnsweredItem]) -> dict[str, Tally[Any]]:
    """Metric -> the tally of all items."""
    found: dict[str, Tally[Any]] = {name: Tally(named_metric(name)) for name in task.measured_by}
    for item in answered:
        for name, tally in found.items():
            tally.add(item.measures[name], group=item.group, unreadable=bool(item.unreadable))
    return found

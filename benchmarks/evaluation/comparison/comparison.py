"""Two models compared, paired by item: per task and figure, and over all tasks together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from embodio.benchmarks.errors import ComparisonError
from embodio.benchmarks.evaluation.answers import AnsweredItem, answers_file, read_answers
from embodio.benchmarks.evaluation.identity import SETTINGS, Identity
from embodio.benchmarks.statistics.paired_figures import FigureDifference, MeasuredPairs, figure_differences, pooled
from embodio.benchmarks.statistics.verdicts import Rule, Verdict, figure_verdict, holm
from embodio.datasets.metrics import named_metric

Judge = Literal["main", "all"]
ALL_TASKS = "all tasks"

DEFINITION = (
    "Items are paired by their key; both must have asked the same, by a hash of annotation and media. Answers that "
    "could not be read count as wrong. interval: 95% of the difference, A minus B, by a paired bootstrap over groups "
    "of items, such as those about one image; Newcombe's (1998, method 10) for measures of 0 and 1 of independent "
    "items. p_value: exact McNemar test for those, elsewhere a randomisation test that exchanges the answers of A and "
    "B in whole groups. p_corrected: of the judged figures, for their number, after Holm. verdict on A: better or "
    "worse where p_corrected is at most alpha; equal where the interval, widened for the number of tests, is inside "
    "the margin; otherwise cannot tell, with how many more items are expected to decide. The margin of a figure that "
    "does not lie between 0 and 1 is a share of B's value."
)


@dataclass(frozen=True)
class Evaluated:
    """The answers of one model.

    Attributes:
        model: its name.
        place: the folder of the evaluation.
        identity: what was evaluated.
        answers: task -> key -> item.
    """

    model: str
    place: Path
    identity: Identity
    answers: Mapping[str, Mapping[str, AnsweredItem]]


@dataclass(frozen=True)
class ComparedFigure:
    """The comparison by one figure.

    Attributes:
        task: its name.
        found: values, difference, interval and test.
        unreadable: answers of A, and of B, that could not be read.
        alone: items that only A answered, and only B.
        p_corrected: corrected for the number of judged figures; None for one that is not judged.
        verdict: on A; None for one that is not judged.
    """

    task: str
    found: FigureDifference
    unreadable: tuple[int, int]
    alone: tuple[int, int]
    p_corrected: float | None = None
    verdict: Verdict | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values; undefined ones are null."""
        own = {name: _defined(value) for name, value in asdict(self.found).items()}
        derived = {"difference": _defined(self.found.difference)}
        others = {name: value for name, value in asdict(self).items() if name != "found"}
        return {"task": self.task} | derived | own | others


@dataclass(frozen=True)
class ModelComparison:
    """The comparison of A and B.

    Attributes:
        a: A's name.
        b: B's name.
        rule: how verdicts are reached.
        judge: which figures are judged, the main one of each task or all.
        rows: each figure of each task.
        pooled: the mean over the tasks' main figures; None with one task, or where not all of these lie between 0 and
            1 and are better if higher.
        only: tasks that only A was evaluated on, and only B.
    """

    a: str
    b: str
    rule: Rule
    judge: Judge
    rows: Sequence[ComparedFigure]
    pooled: ComparedFigure | None
    only: tuple[Sequence[str], Sequence[str]]

    @property
    def shown(self) -> list[ComparedFigure]:
        """The rows, and the pooled one after them if there is one."""
        return [*self.rows, *([] if self.pooled is None else [self.pooled])]

    def to_json(self) -> dict[str, Any]:
        """Plain values, with what the figures mean."""
        return {
            "version": 1, "a": self.a, "b": self.b, "rule": asdict(self.rule), "judge": self.judge,
            "definition": DEFINITION, "only": {"a": self.only[0], "b": self.only[1]},
            "pooled": None if self.pooled is None else self.pooled.to_json(),
            "rows": [one.to_json() for one in self.rows],
        }  # fmt: skip


def read_evaluated(place: Path) -> Evaluated:
    """The answers in the folder of an evaluation.

    Raises:
        ComparisonError: it holds no evaluation, or a shard of one.
        ResultsError: its settings are damaged.
    """
    identity = Identity.read(place)
    if identity is None:
        raise ComparisonError(f"{place} holds no evaluation ({SETTINGS}). Give the folder out=... of embodio-evaluate")
    if identity.model.get("shard"):
        raise ComparisonError(f"{place} is shard {identity.model['shard']} of an evaluation; merge its shards first")
    answers = {task: read_answers(answers_file(place, task)) for task in identity.tasks}
    return Evaluated(str(identity.model["model"]), place, identity, answers)


def compare(a: Evaluated, b: Evaluated, rule: Rule, judge: Judge = "main", draws: int = 2000) -> ModelComparison:
    """Compares two models on all tasks that both were evaluated on.

    Args:
        a: A's answers.
        b: B's.
        rule: how verdicts are reached.
        judge: which figures are judged.
        draws: of the bootstrap and of the randomisation test.

    Raises:
        ComparisonError: they share no task or no item, or tasks or items of one name differ; names them.
    """
    names = [name for name in a.answers if name in b.answers]
    shared = {name: _shared(name, a, b) for name in names}
    shared = {name: keys for name, keys in shared.items() if keys}
    if not shared:
        raise ComparisonError(f"A and B share no item: A has {_described(a)}; B has {_described(b)}")
    rows: list[ComparedFigure] = []
    mains: dict[str, tuple[MeasuredPairs, str]] = {}
    for name, keys in shared.items():
        task = a.identity.tasks[name]
        pairs = {metric: _pairs(metric, name, keys, a, b) for metric in task["metrics"]}
        mains[name] = pairs[task["main"][0]], task["main"][1]
        counts = _unreadable(name, keys, a, b), (len(a.answers[name]) - len(keys), len(b.answers[name]) - len(keys))
        found = [one for own in pairs.values() for one in figure_differences(own, draws=draws)]
        rows += [ComparedFigure(name, one, *counts) for one in found]
    only = [name for name in a.answers if name not in b.answers], [name for name in b.answers if name not in a.answers]
    labels = (a.model, b.model) if a.model != b.model else (str(a.place), str(b.place))
    return ModelComparison(
        *labels, rule, judge, _judged(rows, mains, rule, judge), _pooled(mains, rows, rule, draws), only
    )


def _shared(name: str, a: Evaluated, b: Evaluated) -> list[str]:
    """The keys of the items of a task that both answered."""
    tasks = [one.identity.tasks[name] for one in (a, b)]
    for field in ("family", "format", "metrics", "main", "wording", "options", "overlap"):
        if tasks[0].get(field) != tasks[1].get(field):
            raise ComparisonError(
                f"{name}: {field} is {tasks[0].get(field)!r} in {a.place} and {tasks[1].get(field)!r} in {b.place}: "
                "these are different suites. Evaluate one of them again"
            )
    embeds = [one.identity.model.get("embed") for one in (a, b)]
    if embeds[0] != embeds[1] and any(not named_metric(metric).resampled for metric in tasks[0]["metrics"]):
        raise ComparisonError(f"{name}: embed is {embeds[0]!r} in {a.place} and {embeds[1]!r} in {b.place}")
    asked = [{key for key, item in one.answers[name].items() if not item.missing} for one in (a, b)]
    keys = [key for key in a.answers[name] if key in asked[0] & asked[1]]
    for key in keys:
        if a.answers[name][key].digest != b.answers[name][key].digest:
            raise ComparisonError(
                f"{name}: item {key!r} in {a.place} is another one than in {b.place}: annotation or media differ. "
                "Evaluate both on the same files"
            )
    return keys


def _pairs(metric: str, name: str, keys: Sequence[str], a: Evaluated, b: Evaluated) -> MeasuredPairs:
    items = [[one.answers[name][key] for key in keys] for one in (a, b)]
    measures = [[item.measures[metric] for item in own] for own in items]
    return MeasuredPairs(named_metric(metric), measures[0], measures[1], [item.group for item in items[0]])


def _unreadable(name: str, keys: Sequence[str], a: Evaluated, b: Evaluated) -> tuple[int, int]:
    counts = [sum(bool(one.answers[name][key].unreadable) for key in keys) for one in (a, b)]
    return counts[0], counts[1]


Mains = Mapping[str, tuple[MeasuredPairs, str]]
"""Task -> the pairs of its main metric, and its main figure."""


def _judged(rows: Sequence[ComparedFigure], mains: Mains, rule: Rule, judge: Judge) -> list[ComparedFigure]:
    """The rows with corrected p-values and verdicts for those that are judged."""
    places = [place for place, row in enumerate(rows) if judge == "all" or row.found.figure == mains[row.task][1]]
    corrected = holm([rows[place].found.p_value for place in places])
    found = list(rows)
    for place, p_corrected in zip(places, corrected, strict=True):
        word = figure_verdict(rows[place].found, p_corrected, rule, len(places))
        found[place] = replace(rows[place], p_corrected=p_corrected, verdict=word)
    return found


def _pooled(mains: Mains, rows: Sequence[ComparedFigure], rule: Rule, draws: int) -> ComparedFigure | None:
    """The mean over the tasks' main figures."""
    usable = all(
        pairs.metric.figures[main] == "higher" and main not in pairs.metric.unbounded and pairs.metric.resampled
        for pairs, main in mains.values()
    )
    if len(mains) < 2 or not usable:
        return None
    both = pooled([pairs for pairs, _ in mains.values()], [main for _, main in mains.values()])
    (found,) = figure_differences(both, draws=draws)
    unreadable, alone = over_tasks(rows, "unreadable"), over_tasks(rows, "alone")
    return ComparedFigure(
        ALL_TASKS, found, unreadable, alone, found.p_value, figure_verdict(found, found.p_value, rule)
    )


def over_tasks(rows: Sequence[ComparedFigure], counts: Literal["unreadable", "alone"]) -> tuple[int, int]:
    """Counts of A and of B summed over the tasks; all rows of a task have the same."""
    by_task = {row.task: getattr(row, counts) for row in rows}.values()
    return sum(a for a, _ in by_task), sum(b for _, b in by_task)


def _defined(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _described(one: Evaluated) -> str:
    return ", ".join(f"{name} with {len(items)} items" for name, items in one.answers.items()) or "no task"
